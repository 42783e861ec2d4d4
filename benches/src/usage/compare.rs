//! Clown and its rivals on one corpus, one after another in each round.

use super::corpus::{self, Sums, Truth};
use crate::flags::UsageFlags;
use crate::machine;
use crate::process::Server;
use crate::report::Report;
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const RIVALS: [&str; 2] = ["20.0.20", "20.0.24"];

/// How often a question is asked in each round.
const QUESTIONS: usize = 20;

/// How much is appended to a corpus that is followed.
const APPENDED: usize = 1_000_000;

pub(crate) fn run(flags: &UsageFlags) -> anyhow::Result<()> {
    fs::create_dir_all(&flags.rivals)?;
    for version in RIVALS {
        let program = ccusage(flags, version);
        ensure!(
            program.is_file(),
            "{} is missing: benches/install fetches it",
            program.display()
        );
    }
    let corpus = flags.rivals.join(format!("corpus-{}", flags.mebibytes));
    let truth = corpus_at(&corpus, |folder| {
        corpus::write(folder, flags.mebibytes << 20, false)
    })?;
    let mut report = Report::new(json!({
        "date": clown_events::Timestamp::now().to_string(),
        "machine": machine::describe(),
        "versions": format!("ccusage {}", RIVALS.join(", ccusage ")),
        "rounds": flags.rounds,
        "corpus": {"bytes": truth.bytes, "files": truth.files, "answers": truth.all.answers},
    }));
    // Once, so that every round finds the files in memory.
    marker_count(&corpus)?;
    for round in 0..flags.rounds {
        clown_round(flags, &corpus, &truth, round, &mut report)?;
        for version in RIVALS {
            rival_round(flags, version, &corpus, &truth, round, &mut report)?;
        }
        let began = Instant::now();
        let (_, cpu) = marker_count(&corpus)?;
        report.raw(
            "cold",
            "grep",
            round,
            &[
                ("cpu_ms", cpu),
                ("wall_ms", began.elapsed().as_secs_f64() * 1e3),
            ],
        );
    }
    followed(flags, &corpus, &mut report)?;
    larger(flags, &mut report)?;
    history(flags, &mut report)?;
    conclude(&mut report, &truth);
    println!("{}", report.text());
    if flags.record {
        ensure!(flags.rounds >= 5, "fewer than 5 rounds are not recorded");
        report.record(Path::new("docs"), "usage-performance")?;
    }
    Ok(())
}

/// The corpus in `folder`, made where it is not there yet.
fn corpus_at(
    folder: &Path,
    make: impl FnOnce(&Path) -> anyhow::Result<Truth>,
) -> anyhow::Result<Truth> {
    if let Ok(text) = fs::read(folder.join("truth.json"))
        && let Ok(truth) = serde_json::from_slice(&text)
    {
        return Ok(truth);
    }
    eprintln!("making {}", folder.display());
    fs::create_dir_all(folder)?;
    make(folder)
}

fn ccusage(flags: &UsageFlags, version: &str) -> PathBuf {
    let package = format!("ccusage-{version}/node_modules/@ccusage/ccusage-linux-x64/bin/ccusage");
    flags.rivals.join(package)
}

/// A daemon with nothing in it, and the command line that talks to it.
struct Daemon {
    folder: TempDir,
    server: Server,
}

impl Daemon {
    fn start(flags: &UsageFlags, prepare: impl FnOnce(&Path)) -> anyhow::Result<Self> {
        let folder = TempDir::new_in(&flags.rivals)?;
        prepare(folder.path());
        let state = folder.path().join("state");
        let mut command = Command::new(program("clownd")?);
        command.args(["--listen", "127.0.0.1:0"]);
        command.arg("--state-dir").arg(&state);
        command
            .arg("--config-dir")
            .arg(folder.path().join("config"));
        command
            .env("HOME", folder.path())
            .env("PATH", "/usr/bin:/bin");
        let server = Server::daemon(command, &state)?;
        Ok(Self { folder, server })
    }

    fn clown(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(program("clown")?);
        command
            .arg("--state-dir")
            .arg(self.folder.path().join("state"));
        command
            .arg("--config-dir")
            .arg(self.folder.path().join("config"));
        command.arg("--no-start").args(arguments);
        Ok(command)
    }

    fn import(&self, corpus: &Path) -> anyhow::Result<Import> {
        let path = fs::canonicalize(corpus)?;
        let path = path.to_str().context("the path is not UTF-8")?.to_owned();
        let before = self.server.cpu_of_all();
        let began = Instant::now();
        let ran = measured(&mut self.clown(&["usage", "import", "claude", "--path", &path])?)?;
        Ok(Import {
            cpu_ms: (self.server.cpu_of_all() - before) as f64 / 1e6 + ran.cpu_ms,
            wall_ms: began.elapsed().as_secs_f64() * 1e3,
            memory_mib: self.server.most_resident()? as f64 / (1 << 20) as f64,
        })
    }

    fn report(&self) -> anyhow::Result<(Ran, Sums)> {
        let question = ["usage", "--period", "all", "-z", "UTC", "--json"];
        let ran = measured(&mut self.clown(&question)?)?;
        let report: Value = serde_json::from_slice(&ran.output)?;
        let tokens = &report["total"]["tokens"];
        let count = |name: &str| tokens[name].as_u64().unwrap_or(0);
        let sums = Sums {
            answers: report["total"]["answers"].as_u64().unwrap_or(0),
            input: count("input_tokens"),
            output: count("output_tokens"),
            cache_writes: count("cache_creation_input_tokens"),
            cache_reads: count("cache_read_input_tokens"),
        };
        Ok((ran, sums))
    }
}

struct Import {
    cpu_ms: f64,
    wall_ms: f64,
    memory_mib: f64,
}

fn program(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(
        path.is_file(),
        "{} is missing: build it first",
        path.display()
    );
    Ok(path)
}

/// A program that has ended well.
struct Ran {
    output: Vec<u8>,
    cpu_ms: f64,
    wall_ms: f64,
    memory_mib: f64,
}

/// Runs a program under `time`, which knows what it took.
fn measured(command: &mut Command) -> anyhow::Result<Ran> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["--format", "%U %S %M", "--quiet"]);
    timed.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    let began = Instant::now();
    let output = timed
        .stdin(Stdio::null())
        .output()
        .context("time is missing")?;
    let wall_ms = began.elapsed().as_secs_f64() * 1e3;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {said}");
    let last = said.lines().last().unwrap_or_default();
    let numbers: Vec<f64> = last
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    let [user, system, kibibytes] = numbers[..] else {
        bail!("time said {last:?}");
    };
    Ok(Ran {
        output: output.stdout,
        cpu_ms: (user + system) * 1e3,
        wall_ms,
        memory_mib: kibibytes / 1024.0,
    })
}

fn clown_round(
    flags: &UsageFlags,
    corpus: &Path,
    truth: &Truth,
    round: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let daemon = Daemon::start(flags, |_| {})?;
    let import = daemon.import(corpus)?;
    let (_, sums) = daemon.report()?;
    ensure!(
        sums == truth.all,
        "Clown counts {sums:?}, and the truth is {:?}",
        truth.all
    );
    report.raw(
        "cold",
        "clown",
        round,
        &[
            ("cpu_ms", import.cpu_ms),
            ("wall_ms", import.wall_ms),
            ("memory_mib", import.memory_mib),
        ],
    );
    for _ in 0..QUESTIONS {
        let (ran, _) = daemon.report()?;
        report.raw("question", "clown", round, &[("wall_ms", ran.wall_ms)]);
        let status = measured(&mut daemon.clown(&["statusline"])?)?;
        report.raw("statusline", "clown", round, &[("wall_ms", status.wall_ms)]);
    }
    Ok(())
}

fn rival_round(
    flags: &UsageFlags,
    version: &str,
    corpus: &Path,
    truth: &Truth,
    round: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut command = Command::new(ccusage(flags, version));
    command.args(["claude", "daily", "--offline", "--json", "-z", "UTC"]);
    command.env("CLAUDE_CONFIG_DIR", fs::canonicalize(corpus)?);
    let ran = measured(&mut command)?;
    let answer: Value = serde_json::from_slice(&ran.output)?;
    let count = |name: &str| answer["totals"][name].as_u64().unwrap_or(0);
    let sums = Sums {
        // It does not say how many.
        answers: truth.all.answers,
        input: count("inputTokens"),
        output: count("outputTokens"),
        cache_writes: count("cacheCreationTokens"),
        cache_reads: count("cacheReadTokens"),
    };
    ensure!(
        sums == truth.all,
        "ccusage {version} counts {sums:?}, and the truth is {:?}",
        truth.all
    );
    report.raw(
        "cold",
        version,
        round,
        &[
            ("cpu_ms", ran.cpu_ms),
            ("wall_ms", ran.wall_ms),
            ("memory_mib", ran.memory_mib),
        ],
    );
    Ok(())
}

/// The least that looking at all bytes takes: lines with the marker, counted by grep on one core.
fn marker_count(corpus: &Path) -> anyhow::Result<(u64, f64)> {
    let mut command = Command::new("grep");
    command.args([
        "--recursive",
        "--fixed-strings",
        "--no-filename",
        "--count",
        "\"usage\"",
    ]);
    command.arg(corpus.join("projects"));
    let ran = measured(&mut command)?;
    let text = String::from_utf8_lossy(&ran.output);
    let lines = text
        .lines()
        .filter_map(|line| line.parse::<u64>().ok())
        .sum();
    Ok((lines, ran.cpu_ms))
}

/// 1 MB appended to a session of a corpus that is a profile's: until the event is out.
fn followed(flags: &UsageFlags, corpus: &Path, report: &mut Report) -> anyhow::Result<()> {
    let original = fs::canonicalize(corpus)?.join("projects");
    let daemon = Daemon::start(flags, |folder| {
        let home = folder.join("state/homes/work/claude");
        // A state folder is private, and its own only.
        let made = fs::create_dir_all(&home)
            .and_then(|()| fs::set_permissions(folder.join("state"), private()))
            .and_then(|()| copy(&original, &home.join("projects")));
        if let Err(error) = made {
            eprintln!("cannot make {}: {error}", home.display());
        }
    })?;
    let home = daemon
        .folder
        .path()
        .join("state/homes/work/claude/projects");
    let stands = |daemon: &Daemon| -> anyhow::Result<u64> { Ok(daemon.report()?.1.output) };
    settle(&daemon, stands)?;
    for round in 0..flags.rounds {
        let before = stands(&daemon)?;
        let text = corpus::more(APPENDED, round as u64);
        // Asked on one connection: questions must not cost what is measured.
        let mut stream = Listening::open(&daemon)?;
        let cpu = daemon.server.cpu_of_all();
        let cpu_fine = daemon.server.cpu();
        let began = Instant::now();
        let path = home.join("-home-person-work-project-0/appended.jsonl");
        fs::create_dir_all(path.parent().context("it has a parent")?)?;
        let mut file = File::options().append(true).create(true).open(path)?;
        file.write_all(text.as_bytes())?;
        stream.wait()?;
        let wall_ms = began.elapsed().as_secs_f64() * 1e3;
        let cpu_ms = (daemon.server.cpu_of_all() - cpu) as f64 / 1e6;
        let fine_ms = (daemon.server.cpu() - cpu_fine) as f64 / 1e6;
        ensure!(settle(&daemon, stands)? > before, "nothing was added");
        report.raw(
            "append",
            "clown",
            round,
            &[("cpu_ms", cpu_ms.max(fine_ms)), ("wall_ms", wall_ms)],
        );
    }
    Ok(())
}

fn private() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(0o700)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Waits until a number has stood still for a second.
fn settle(daemon: &Daemon, number: impl Fn(&Daemon) -> anyhow::Result<u64>) -> anyhow::Result<u64> {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut last = (number(daemon)?, Instant::now());
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let now = number(daemon)?;
        if now != last.0 {
            last = (now, Instant::now());
        } else if now > 0 && last.1.elapsed() > Duration::from_secs(1) {
            return Ok(now);
        }
        ensure!(Instant::now() < deadline, "it is never done");
    }
}

/// Waits until a daemon that has got much to do is done with it.
fn rest(daemon: &Daemon) {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut before = daemon.server.cpu_of_all();
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_secs(1));
        let now = daemon.server.cpu_of_all();
        if now - before <= 10_000_000 {
            return;
        }
        before = now;
    }
}

/// A client of the history, as Server-Sent Events.
struct Listening {
    socket: std::net::TcpStream,
}

impl Listening {
    fn open(daemon: &Daemon) -> anyhow::Result<Self> {
        let address = daemon.server.address;
        let mut socket = std::net::TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        write!(
            socket,
            "GET /api/v1/events?events=UsageUpdated&since=now HTTP/1.1\r\nhost: {address}\r\n\
             accept: text/event-stream\r\n\r\n"
        )?;
        let mut listening = Self { socket };
        listening.until("\r\n\r\n")?;
        Ok(listening)
    }

    /// Waits for an event.
    fn wait(&mut self) -> anyhow::Result<()> {
        self.until("UsageUpdated")
    }

    fn until(&mut self, text: &str) -> anyhow::Result<()> {
        use std::io::Read as _;
        let mut all = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&all).contains(text) {
            match self.socket.read(&mut piece)? {
                0 => bail!("the daemon closed the stream"),
                read => all.extend_from_slice(&piece[..read]),
            }
        }
        Ok(())
    }
}

/// Four times the corpus costs four times, in the same memory.
fn larger(flags: &UsageFlags, report: &mut Report) -> anyhow::Result<()> {
    let corpus = flags.rivals.join(format!("corpus-{}", flags.mebibytes * 4));
    let truth = corpus_at(&corpus, |folder| {
        corpus::write(folder, flags.mebibytes << 22, false)
    })?;
    marker_count(&corpus)?;
    for round in 0..3 {
        let daemon = Daemon::start(flags, |_| {})?;
        let import = daemon.import(&corpus)?;
        let (_, sums) = daemon.report()?;
        ensure!(
            sums == truth.all,
            "Clown counts {sums:?}, and the truth is {:?}",
            truth.all
        );
        report.raw(
            "larger",
            "clown",
            round,
            &[
                ("cpu_ms", import.cpu_ms),
                ("wall_ms", import.wall_ms),
                ("memory_mib", import.memory_mib),
                ("times", truth.bytes as f64 / 1e6),
            ],
        );
    }
    Ok(())
}

/// Questions when there are millions of answers.
fn history(flags: &UsageFlags, report: &mut Report) -> anyhow::Result<()> {
    let corpus = flags.rivals.join(format!("history-{}", flags.history));
    let truth = corpus_at(&corpus, |folder| {
        corpus::write_answers(folder, flags.history)
    })?;
    let daemon = Daemon::start(flags, |_| {})?;
    let import = daemon.import(&corpus)?;
    let (first, sums) = daemon.report()?;
    ensure!(
        sums == truth.all,
        "Clown counts {sums:?}, and the truth is {:?}",
        truth.all
    );
    let database = daemon.folder.path().join("state/clown.db");
    report.raw(
        "history-import",
        "clown",
        0,
        &[
            ("cpu_ms", import.cpu_ms),
            ("memory_mib", import.memory_mib),
            ("answers", truth.all.answers as f64),
            (
                "database_mib",
                fs::metadata(database)?.len() as f64 / (1 << 20) as f64,
            ),
            ("first_question_ms", first.wall_ms),
        ],
    );
    rest(&daemon);
    for _ in 0..QUESTIONS * 2 {
        let (ran, _) = daemon.report()?;
        report.raw("history", "clown", 0, &[("wall_ms", ran.wall_ms)]);
        let status = measured(&mut daemon.clown(&["statusline"])?)?;
        report.raw(
            "history-statusline",
            "clown",
            0,
            &[("wall_ms", status.wall_ms)],
        );
    }
    Ok(())
}

fn conclude(report: &mut Report, truth: &Truth) {
    let median = |report: &Report, scenario: &str, server: &str, name: &str| {
        report.median(scenario, server, name).unwrap_or(f64::NAN)
    };
    let cold = |report: &Report, server: &str, name: &str| median(report, "cold", server, name);
    let share = cold(report, "clown", "cpu_ms") / cold(report, RIVALS[0], "cpu_ms");
    report.target(
        "cold import against ccusage 20.0.20",
        "≤ 0.5 of its processor time",
        format!("{share:.2}"),
        share <= 0.5,
    );
    let memory =
        cold(report, "clown", "memory_mib").max(median(report, "larger", "clown", "memory_mib"));
    report.target(
        "memory of an import, at most",
        "≤ 200 MiB, whatever the corpus",
        format!("{memory:.0} MiB"),
        memory <= 200.0,
    );
    let growth = median(report, "larger", "clown", "cpu_ms") / cold(report, "clown", "cpu_ms");
    let bytes = median(report, "larger", "clown", "times") / (truth.bytes as f64 / 1e6);
    report.target(
        "a corpus four times as large",
        "4 times the processor time, not more",
        format!("{growth:.2} times, for {bytes:.2} times the bytes"),
        growth <= bytes * 1.1,
    );
    let question = median(report, "question", "clown", "wall_ms");
    report.target(
        "a warm question, the whole process",
        "< 20 ms",
        format!("{question:.1} ms"),
        question < 20.0,
    );
    let faster = cold(report, RIVALS[0], "wall_ms") / question;
    report.target(
        "the same against ccusage 20.0.20",
        "≥ 100 times as fast",
        format!("{faster:.0}"),
        faster >= 100.0,
    );
    let history = median(report, "history", "clown", "wall_ms");
    let answers = median(report, "history-import", "clown", "answers");
    report.target(
        "the same with a long history",
        "flat: < 20 ms",
        format!("{history:.1} ms at {answers:.0} answers"),
        history < 20.0,
    );
    let status = median(report, "history-statusline", "clown", "wall_ms");
    report.target(
        "the status line, with the long history",
        "< 10 ms",
        format!("{status:.1} ms"),
        status < 10.0,
    );
    let append = median(report, "append", "clown", "cpu_ms");
    report.target(
        "1 MB appended, until its event is out",
        "< 50 ms of processor time",
        format!("{append:.0} ms"),
        append < 50.0,
    );
    report.heading("Cold: an empty database, files in memory");
    report.paragraph(&format!(
        "{} MB in {} files, {} answers. Clown's import is the daemon's and the command's processor time; \
         grep counts the lines that have the marker, on one core: the least that looking at all bytes takes.",
        truth.bytes / 1_000_000,
        truth.files,
        truth.all.answers
    ));
    let rows: Vec<Vec<String>> = ["clown", RIVALS[0], RIVALS[1], "grep"]
        .into_iter()
        .map(|server| {
            let memory = cold(report, server, "memory_mib");
            vec![
                match server {
                    "clown" => "Clown".to_owned(),
                    "grep" => "grep".to_owned(),
                    version => format!("ccusage {version}"),
                },
                format!("{:.0} ms", cold(report, server, "cpu_ms")),
                format!("{:.0} ms", cold(report, server, "wall_ms")),
                if memory.is_nan() {
                    "–".to_owned()
                } else {
                    format!("{memory:.0} MiB")
                },
            ]
        })
        .collect();
    report.table(&["program", "CPU", "wall", "memory, at most"], &rows);
    report.heading("Questions and appended lines");
    let rows = [
        ("`clown usage --period all --json`", "question", "wall_ms"),
        ("the same, long history", "history", "wall_ms"),
        ("`clown statusline`", "statusline", "wall_ms"),
        ("the same, long history", "history-statusline", "wall_ms"),
        ("1 MB appended: until the event is out", "append", "wall_ms"),
        ("1 MB appended: processor time", "append", "cpu_ms"),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(what, scenario, name)| {
            let values = report.values(scenario, "clown", name);
            let p95 = crate::report::percentile(values, 0.95).unwrap_or(f64::NAN);
            let median = median(report, scenario, "clown", name);
            vec![
                what.to_owned(),
                format!("{median:.1} ms"),
                format!("{p95:.1} ms"),
            ]
        })
        .collect();
    report.table(&["what", "median", "95 of 100 below"], &rows);
}
