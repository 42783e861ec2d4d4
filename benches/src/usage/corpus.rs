//! A folder as Claude Code fills it in months of work, of any size, and what it truly holds.
//!
//! It has what makes counting hard: answers that grow over several lines, sub-agents, forks that copy
//! a session, side chains that replay it, and much text that looks like what is counted. It keeps to
//! what every program that is compared can read: compact JSON, and a request id on each answer.

use anyhow::Context as _;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// Tokens of a day, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sums {
    pub(crate) answers: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_writes: u64,
    pub(crate) cache_reads: u64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.input += other.input;
        self.output += other.output;
        self.cache_writes += other.cache_writes;
        self.cache_reads += other.cache_reads;
    }
}

/// What a corpus holds.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Truth {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    pub(crate) all: Sums,
    /// By day, in UTC.
    pub(crate) days: BTreeMap<String, Sums>,
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn id(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }

    /// As the ids of providers are: letters and digits.
    fn letters(&mut self, count: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789";
        (0..count)
            .map(|_| char::from(LETTERS[self.below(LETTERS.len() as u64) as usize]))
            .collect()
    }
}

const MODELS: [&str; 3] = [
    "claude-sonnet-4-5-20250929",
    "claude-opus-4-5-20251101",
    "claude-haiku-4-5-20251001",
];

const FIRST_DAY: i64 = 1_767_225_600; // 2026-01-01
const DAYS: u64 = 180;

struct Writer<'t> {
    random: Random,
    truth: &'t mut Truth,
    text: String,
    lean: bool,
}

/// A session while it is written.
struct Session {
    id: String,
    cwd: String,
    /// Seconds since 1970.
    at: i64,
    context: u64,
    model: &'static str,
}

/// Fills `folder/projects` with about `bytes`; a lean one has answers and nothing else.
pub(crate) fn write(folder: &Path, bytes: u64, lean: bool) -> anyhow::Result<Truth> {
    fill(folder, lean, |truth| truth.bytes >= bytes)
}

/// The same, lean, with about so many answers.
pub(crate) fn write_answers(folder: &Path, answers: u64) -> anyhow::Result<Truth> {
    fill(folder, true, |truth| truth.all.answers >= answers)
}

fn fill(folder: &Path, lean: bool, is_full: impl Fn(&Truth) -> bool) -> anyhow::Result<Truth> {
    let mut truth = Truth::default();
    let mut random = Random(42);
    let text = words(&mut random);
    let mut writer = Writer {
        random,
        truth: &mut truth,
        text,
        lean,
    };
    while !is_full(writer.truth) {
        writer.session(folder)?;
    }
    let path = folder.join("truth.json");
    fs::write(&path, serde_json::to_vec_pretty(&truth)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(truth)
}

/// Something like source code, with quotes and ends of lines.
fn words(random: &mut Random) -> String {
    const WORDS: [&str; 16] = [
        "fn ",
        "let value = ",
        "\"usage\": ",
        "return ",
        "{\n",
        "}\n",
        "// counts tokens\n",
        "self.",
        "output_tokens",
        "match ",
        " => ",
        "\\\"text\\\"",
        "a tool's result ",
        "ä€",
        "\t",
        ";\n",
    ];
    let mut text = String::new();
    while text.len() < 1 << 20 {
        text += WORDS[random.below(WORDS.len() as u64) as usize];
    }
    text
}

impl Writer<'_> {
    fn session(&mut self, folder: &Path) -> anyhow::Result<()> {
        let project = self.random.below(24);
        let cwd = format!("/home/person/work/project-{project}");
        let home = folder.join("projects").join(cwd.replace('/', "-"));
        fs::create_dir_all(&home)?;
        let mut session = Session {
            id: self.random.id(),
            cwd,
            at: FIRST_DAY + (self.random.below(DAYS) * 86_400 + self.random.below(60_000)) as i64,
            context: 15_000,
            model: MODELS[self.random.below(3) as usize],
        };
        let mut lines = Vec::new();
        for _ in 0..20 + self.random.below(200) {
            self.turn(&mut session, &mut lines, false);
        }
        if self.random.one_in(4) {
            let mut agent = Vec::new();
            for _ in 0..5 + self.random.below(40) {
                self.turn(&mut session, &mut agent, true);
            }
            let folder = home.join(&session.id).join("subagents");
            fs::create_dir_all(&folder)?;
            let name = format!("agent-{:08x}.jsonl", self.random.below(1 << 32));
            self.file(&folder.join(name), &agent)?;
        }
        if !self.lean && self.random.one_in(10) {
            self.side_chain(&home, &session, &lines)?;
        }
        if !self.lean && self.random.one_in(12) {
            self.fork(&home, &session, &lines)?;
        }
        self.file(&home.join(format!("{}.jsonl", session.id)), &lines)
    }

    fn file(&mut self, path: &Path, lines: &[String]) -> anyhow::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        for line in lines {
            writeln!(file, "{line}")?;
            self.truth.bytes += line.len() as u64 + 1;
        }
        file.flush()?;
        self.truth.files += 1;
        Ok(())
    }

    /// A piece of text, long now and then.
    fn piece(&mut self, usual: u64) -> String {
        if self.lean {
            return String::new();
        }
        let length = usual / 4
            + self.random.below(usual * 2)
            + if self.random.one_in(20) { usual * 8 } else { 0 };
        let half = self.text.len() as u64 / 2;
        let start = self.random.below(half) as usize;
        let start = self.text.floor_char_boundary(start);
        self.text[start..].chars().take(length as usize).collect()
    }

    fn stamp(session: &Session, millis: u64) -> String {
        let (day, second) = (session.at.div_euclid(86_400), session.at.rem_euclid(86_400));
        format!(
            "{}T{:02}:{:02}:{:02}.{millis:03}Z",
            day_of(day),
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }

    fn line(&mut self, session: &Session, side: bool, members: serde_json::Value) -> String {
        let millis = self.random.below(1000);
        let mut line = json!({
            "parentUuid": self.random.id(),
            "isSidechain": side,
            "userType": "external",
            "cwd": session.cwd,
            "sessionId": session.id,
            "version": "2.1.197",
            "gitBranch": "main",
        });
        if let (Some(line), serde_json::Value::Object(members)) = (line.as_object_mut(), members) {
            line.extend(members);
            line.insert("uuid".to_owned(), self.random.id().into());
            line.insert("timestamp".to_owned(), Self::stamp(session, millis).into());
        }
        line.to_string()
    }

    /// A question, the answer over one to four lines, and what tools gave.
    fn turn(&mut self, session: &mut Session, lines: &mut Vec<String>, side: bool) {
        let (message, request) = (
            format!("msg_01{}", self.random.letters(22)),
            format!("req_011{}", self.random.letters(21)),
        );
        let input = 1 + self.random.below(40);
        let cache_reads = session.context;
        let cache_writes = 200 + self.random.below(6000);
        let hour = if self.random.one_in(3) {
            cache_writes
        } else {
            0
        };
        let output = 20 + self.random.below(2500);
        let blocks = if self.lean {
            1
        } else {
            1 + self.random.below(4)
        };
        for block in 0..blocks {
            let last = block + 1 == blocks;
            let grown = if last {
                output
            } else {
                1 + self.random.below(8)
            };
            let content = match block {
                0 if blocks > 1 => {
                    json!({"type": "thinking", "thinking": self.piece(900), "signature": self.random.letters(300)})
                }
                _ if last => {
                    json!({"type": "tool_use", "id": format!("toolu_01{}", self.random.letters(22)),
                    "name": "Edit", "input": {"file_path": format!("{}/src/lib.rs", session.cwd),
                        "old_string": self.piece(500), "new_string": self.piece(700)}})
                }
                _ => json!({"type": "text", "text": self.piece(600)}),
            };
            let answer = json!({
                "message": {
                    "model": session.model, "id": message, "type": "message", "role": "assistant",
                    "content": [content], "stop_reason": null, "stop_sequence": null,
                    "usage": {"input_tokens": input, "cache_creation_input_tokens": cache_writes,
                        "cache_read_input_tokens": cache_reads,
                        "cache_creation": {"ephemeral_5m_input_tokens": cache_writes - hour,
                            "ephemeral_1h_input_tokens": hour},
                        "output_tokens": grown, "service_tier": "standard"},
                },
                "requestId": request,
                "type": "assistant",
            });
            lines.push(self.line(session, side, answer));
            session.at += 1;
        }
        let sums = Sums {
            answers: 1,
            input,
            output,
            cache_writes,
            cache_reads,
        };
        self.truth.all.add(sums);
        // All lines of an answer are of one day: programs differ on which line says when.
        let day = day_of((session.at - blocks as i64).div_euclid(86_400));
        self.truth.days.entry(day).or_default().add(sums);
        session.context = (session.context + cache_writes).min(150_000);
        session.at += 2 + self.random.below(40) as i64;
        if self.lean {
            self.rest(session);
            return;
        }
        let result = self.piece(4000);
        let question = json!({
            "type": "user",
            "message": {"role": "user", "content": [{"tool_use_id": format!("toolu_01{}", self.random.letters(22)),
                "type": "tool_result", "content": result}]},
            "toolUseResult": {"stdout": result, "interrupted": false, "usage": {"output_tokens": 5}},
        });
        lines.push(self.line(session, side, question));
        if self.random.one_in(6) {
            let snapshot =
                json!({"type": "file-history-snapshot", "snapshot": {"files": self.piece(1500)}});
            lines.push(self.line(session, side, snapshot));
        }
        self.rest(session);
    }

    /// Work ends before midnight.
    fn rest(&self, session: &mut Session) {
        if session.at.rem_euclid(86_400) > 86_000 {
            session.at += 30_000;
        }
    }

    /// A question beside: the session is replayed under other requests.
    fn side_chain(
        &mut self,
        home: &Path,
        session: &Session,
        lines: &[String],
    ) -> anyhow::Result<()> {
        let mut copies = Vec::new();
        for line in lines.iter().take(60) {
            let mut line: serde_json::Value = serde_json::from_str(line)?;
            line["isSidechain"] = true.into();
            line["uuid"] = self.random.id().into();
            if line.get("requestId").is_some() {
                line["requestId"] = format!("req_011{}", self.random.letters(21)).into();
            }
            copies.push(line.to_string());
        }
        let folder = home.join(&session.id).join("subagents");
        fs::create_dir_all(&folder)?;
        let name = format!("agent-aside{:04x}.jsonl", self.random.below(1 << 16));
        self.file(&folder.join(name), &copies)
    }

    /// Another session that begins with all of this one.
    fn fork(&mut self, home: &Path, session: &Session, lines: &[String]) -> anyhow::Result<()> {
        let id = self.random.id();
        let mut copies = Vec::new();
        for line in lines {
            let mut line: serde_json::Value = serde_json::from_str(line)?;
            line["forkedFrom"] = json!({"sessionId": session.id, "messageUuid": line["uuid"]});
            line["sessionId"] = id.clone().into();
            line["uuid"] = self.random.id().into();
            copies.push(line.to_string());
        }
        self.file(&home.join(format!("{id}.jsonl")), &copies)
    }
}

/// `bytes` of new answers, as they are appended to a session.
pub(crate) fn more(bytes: usize, seed: u64) -> String {
    let mut truth = Truth::default();
    let mut random = Random(seed ^ 0x5eed_0000);
    let text = words(&mut random);
    let mut writer = Writer {
        random,
        truth: &mut truth,
        text,
        lean: false,
    };
    let mut session = Session {
        id: "appended".to_owned(),
        cwd: "/home/person/work/project-0".to_owned(),
        at: FIRST_DAY + DAYS as i64 * 86_400,
        context: 15_000,
        model: MODELS[0],
    };
    let mut lines = Vec::new();
    let mut all = String::new();
    while all.len() < bytes {
        writer.turn(&mut session, &mut lines, false);
        for line in lines.drain(..) {
            all += &line;
            all.push('\n');
        }
    }
    all
}

/// The date of a day since 1970, as Howard Hinnant's `civil_from_days` finds it.
fn day_of(day: i64) -> String {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}")
}
