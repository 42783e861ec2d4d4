//! Proxy instances as the domain sees them: this same program, started once more, and steered over
//! its socket.

use clown_core::keys::Secret as Key;
use clown_core::providers::{Format as CoreFormat, KeyAuth};
use clown_core::proxies::{self, Ending, Found, Health, Launcher, Plan, TargetHealth, Worked};
use clown_fetch::FetcherSettings;
use clown_proxy::config::{Auth, Configuration, Format, Limits, Network, Secret, Upstream};
use clown_proxy::control::client::{self, Steering, SteeringError};
use clown_proxy::control::{Ask, Assignment, Told};
use clown_proxy::instance::{self, Note};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long an instance may take until it can be steered.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// How long one that has just been started by another daemon may take to listen.
const FOUND_WITHIN: Duration = Duration::from_secs(2);

/// What an instance logs beyond this is put aside when the next one starts.
const MAX_LOG: u64 = 1 << 20;

const LOG: &str = "proxy.log";

/// What an instance says once it can be steered.
pub(crate) const READY: &str = "ready";

/// Variables of the daemon that an instance gets: where certificates are, and how much is logged.
const PASSED_ON: [&str; 3] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "CLOWN_LOG"];

/// Starts and steers instances of this program.
#[derive(Debug)]
pub(crate) struct InstanceLauncher {
    program: PathBuf,
    network: Network,
}

impl InstanceLauncher {
    /// `network` is how the daemon itself reaches other machines.
    pub(crate) fn new(network: &FetcherSettings) -> io::Result<Self> {
        let secret = |text: &Option<String>| text.clone().map(Secret::new);
        let proxies = &network.proxies;
        Ok(Self {
            // Asked early: when this program is replaced, its name still leads to the new one.
            program: std::env::current_exe()?,
            network: Network {
                authorities: network.authorities.clone(),
                http_proxy: secret(&proxies.http),
                https_proxy: secret(&proxies.https),
                all_proxy: secret(&proxies.all),
                no_proxy: proxies.none.clone(),
            },
        })
    }

    fn ask(folder: &Path, pid: u32, ask: &Ask) -> io::Result<Told> {
        let mut steering = Steering::connect(folder).map_err(io::Error::other)?;
        if steering.pid().is_some_and(|other| other != pid) {
            return Err(io::Error::other("its socket belongs to another process"));
        }
        steering.ask(ask).map_err(io::Error::other)
    }
}

impl Launcher for InstanceLauncher {
    fn launch(&self, folder: &Path) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .arg("proxy")
            .arg(folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_in(folder)?);
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let mut child = command.spawn()?;
        match wait_until_ready(&mut child) {
            Ok(()) => Ok(child),
            Err(error) => {
                // One that has ended already is as good.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn work(&self, folder: &Path, pid: u32, port: u16, plan: &Plan) -> io::Result<Worked> {
        let configuration = configuration(plan, &self.network);
        let assignment = Assignment {
            port,
            configuration,
        };
        match Self::ask(folder, pid, &Ask::Work(Box::new(assignment)))? {
            Told::Works { port } => Ok(Worked::On(port)),
            Told::PortInUse { .. } => Ok(Worked::PortInUse),
            Told::Refused { reason } => Ok(Worked::Refused(reason)),
            Told::Stands { .. } | Told::Stops => Err(other_answer()),
        }
    }

    fn health(&self, folder: &Path, pid: u32) -> io::Result<Health> {
        let Told::Stands { health, .. } = Self::ask(folder, pid, &Ask::Tell)? else {
            return Err(other_answer());
        };
        let targets = health.targets.into_iter();
        Ok(Health {
            targets: targets
                .map(|it| TargetHealth {
                    target: it.target,
                    state: it.state,
                    seconds: it.seconds,
                    error: it.error,
                })
                .collect(),
            trouble: health.trouble,
        })
    }

    fn stop(&self, folder: &Path, pid: u32) -> io::Result<()> {
        match Self::ask(folder, pid, &Ask::Stop)? {
            Told::Stops => Ok(()),
            _ => Err(other_answer()),
        }
    }

    fn find(&self, folder: &Path) -> io::Result<Option<Found>> {
        let deadline = Instant::now() + FOUND_WITHIN;
        loop {
            if !instance::lives(folder)? {
                return Ok(None);
            }
            match Steering::connect(folder) {
                Ok(mut steering) => return found(&mut steering).map(Some),
                // It has its lock, and does not listen yet.
                Err(SteeringError::Connection(_)) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn ending(&self, folder: &Path) -> Option<Ending> {
        let note = Note::read(folder)?;
        Some(Ending {
            pid: note.pid,
            code: note.exit_code?,
            asked: note.asked,
        })
    }

    fn is_healthy(&self, port: u16, pid: u32) -> bool {
        client::is_healthy(port, pid)
    }

    fn port_owner(&self, port: u16) -> Option<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (pid, name) = crate::port_owner::owner(address)?;
        Some(format!("process {pid} ({name})"))
    }
}

fn other_answer() -> io::Error {
    io::Error::other("it answers something else than it was asked")
}

fn found(steering: &mut Steering) -> io::Result<Found> {
    let told = steering.ask(&Ask::Tell).map_err(io::Error::other)?;
    let Told::Stands { pid, works, .. } = told else {
        return Err(other_answer());
    };
    if steering.pid().is_some_and(|other| other != pid) {
        return Err(other_answer());
    }
    let works = works.map(|assignment| (assignment.port, plan(assignment.configuration)));
    Ok(Found { pid, works })
}

/// The end of the log of an instance's folder, to be appended to.
fn log_in(folder: &Path) -> io::Result<fs::File> {
    let path = folder.join(LOG);
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > MAX_LOG) {
        fs::rename(&path, folder.join(format!("{LOG}.1")))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

fn wait_until_ready(child: &mut Child) -> io::Result<()> {
    let Some(mut said) = child.stdout.take() else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let deadline = Instant::now() + READY_WITHIN;
    let mut text = Vec::new();
    let mut buffer = [0; 64];
    while !text.contains(&b'\n') {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec::try_from(left).ok();
        let mut descriptors = [PollFd::new(&said, PollFlags::IN)];
        match poll(&mut descriptors, limit.as_ref()) {
            Ok(0) => {
                let seconds = READY_WITHIN.as_secs();
                let message = format!("it is not ready after {seconds} s");
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let count = said.read(&mut buffer)?;
        if count == 0 {
            let message = "it ended at once; proxy.log in its folder says why";
            return Err(io::Error::other(message));
        }
        text.extend_from_slice(&buffer[..count]);
    }
    Ok(())
}

fn configuration(plan: &Plan, network: &Network) -> Configuration {
    let others = plan.others.iter();
    Configuration {
        profile: plan.profile.clone(),
        agent: plan.agent.clone(),
        provider: plan.provider.clone(),
        local_key: Secret::new(plan.local_key.expose()),
        upstream: upstream(&plan.upstream),
        others: others
            .map(|(id, other)| (id.clone(), upstream(other)))
            .collect(),
        rules: plan.rules.clone(),
        small_model: plan.small_model.clone(),
        over_budget: plan.over_budget,
        network: network.clone(),
        limits: Limits::default(),
    }
}

fn upstream(plan: &proxies::Upstream) -> Upstream {
    let mut keys = plan.keys.iter().map(|key| Secret::new(key.expose()));
    let bases = plan.bases.iter();
    Upstream {
        bases: bases
            .map(|(format, base)| (format_of(*format), base.clone()))
            .collect(),
        key: keys.next(),
        more_keys: keys.collect(),
        auth: match plan.auth {
            KeyAuth::Own => Auth::Own,
            KeyAuth::Bearer => Auth::Bearer,
        },
    }
}

fn plan(configuration: Configuration) -> Plan {
    let others = configuration.others.into_iter();
    Plan {
        profile: configuration.profile,
        agent: configuration.agent,
        provider: configuration.provider,
        local_key: Key::new(configuration.local_key.expose()),
        upstream: planned(configuration.upstream),
        others: others.map(|(id, other)| (id, planned(other))).collect(),
        rules: configuration.rules,
        small_model: configuration.small_model,
        over_budget: configuration.over_budget,
    }
}

fn planned(upstream: Upstream) -> proxies::Upstream {
    let keys = upstream.keys().map(|key| Key::new(key.expose())).collect();
    let bases = upstream.bases.into_iter();
    proxies::Upstream {
        keys,
        auth: match upstream.auth {
            Auth::Own => KeyAuth::Own,
            Auth::Bearer => KeyAuth::Bearer,
        },
        bases: bases
            .map(|(format, base)| (core_format_of(format), base))
            .collect(),
    }
}

fn format_of(format: CoreFormat) -> Format {
    match format {
        CoreFormat::AnthropicMessages => Format::AnthropicMessages,
        CoreFormat::OpenaiResponses => Format::OpenaiResponses,
        CoreFormat::OpenaiChat => Format::OpenaiChat,
        CoreFormat::Gemini => Format::Gemini,
    }
}

fn core_format_of(format: Format) -> CoreFormat {
    match format {
        Format::AnthropicMessages => CoreFormat::AnthropicMessages,
        Format::OpenaiResponses => CoreFormat::OpenaiResponses,
        Format::OpenaiChat => CoreFormat::OpenaiChat,
        Format::Gemini => CoreFormat::Gemini,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_plan_comes_back_from_an_instance_as_it_went() {
        let formats = [
            CoreFormat::AnthropicMessages,
            CoreFormat::OpenaiResponses,
            CoreFormat::OpenaiChat,
            CoreFormat::Gemini,
        ];
        let bases = formats.map(|format| (format, format!("http://{format}")));
        for auth in [KeyAuth::Own, KeyAuth::Bearer] {
            let upstream = |keys: &[&str]| proxies::Upstream {
                keys: keys.iter().map(|key| Key::new(*key)).collect(),
                auth,
                bases: BTreeMap::from(bases.clone()),
            };
            let rules =
                serde_json::json!({"routes": [{"name": "r", "when": "tools", "to": ["o/m"]}]});
            let before = Plan {
                profile: "work".to_owned(),
                agent: "claude".to_owned(),
                provider: "p".to_owned(),
                local_key: Key::new("local"),
                upstream: upstream(&["real", "second"]),
                others: BTreeMap::from([("o".to_owned(), upstream(&[]))]),
                rules: serde_json::from_value(rules).unwrap(),
                small_model: Some("small".to_owned()),
                over_budget: true,
            };
            let there = configuration(&before, &Network::default());
            let text = serde_json::to_string(&there).unwrap();
            let back: Configuration = serde_json::from_str(&text).unwrap();
            assert_eq!(plan(back), before);
        }
    }
}
