use super::Gated;
use super::child::{is_stopped, reap};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Passes signals on to the agent.
///
/// What the terminal sends (Ctrl-C) reaches the agent without us, since it is in our process
/// group; this program only has to survive it. What another process sends to us alone is passed
/// on. The handlers are gone in the agent: running a program resets them.
#[derive(Debug)]
pub(crate) struct Forwarding {
    target: Arc<Mutex<Target>>,
}

#[derive(Debug, Clone, Copy)]
enum Target {
    /// There is no agent yet; the signal that would have ended this program meanwhile.
    NotYet(Option<i32>),
    Agent(Pid),
    Gone,
}

/// Why the agent does not run.
#[derive(Debug)]
pub(crate) enum NotLetGo {
    /// This signal came before.
    Signal(i32),
    /// The system cannot run the program.
    NoProgram(io::Error),
}

/// Their default is to end a process.
const PASSED_ON: [i32; 6] = [SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2];

impl Forwarding {
    /// Begins to catch signals. They are noted until there is an agent.
    pub(crate) fn start() -> io::Result<Self> {
        let ignored = ignored_signals();
        // What the caller ignores (`nohup`) stays ignored, for the agent as well: handling it
        // would make the agent's default the system's.
        let is_handled = |signal: &i32| ignored & (1 << (signal - 1)) == 0;
        let handled = PASSED_ON.into_iter().chain([SIGCONT]).filter(is_handled);
        let mut signals = SignalsInfo::<WithOrigin>::new(handled)?;
        let target = Arc::new(Mutex::new(Target::NotYet(None)));
        let of_thread = Arc::clone(&target);
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for origin in signals.forever() {
                    handle(&mut lock(&of_thread), &origin);
                }
            })?;
        Ok(Self { target })
    }

    /// Lets the agent go, unless a signal came that should have ended it. Signals that come
    /// meanwhile wait until they reach the agent itself, and not the child at the gate.
    pub(crate) fn let_go(&self, gated: Gated, agent: Pid) -> Result<(), NotLetGo> {
        let mut target = lock(&self.target);
        if let Target::NotYet(Some(signal)) = *target {
            gated.turn_back();
            return Err(NotLetGo::Signal(signal));
        }
        let opened = gated.open();
        *target = if opened.is_ok() {
            Target::Agent(agent)
        } else {
            Target::Gone
        };
        opened.map_err(NotLetGo::NoProgram)
    }

    /// Gives the number of the ended agent back to the system. No signal goes there any more.
    pub(crate) fn reap(&self, agent: Pid) {
        let mut target = lock(&self.target);
        *target = Target::Gone;
        reap(agent);
    }
}

fn handle(target: &mut Target, origin: &Origin) {
    match target {
        Target::NotYet(early) if PASSED_ON.contains(&origin.signal) => {
            early.get_or_insert(origin.signal);
        }
        // One that was stopped together with this program goes on with it.
        Target::Agent(agent) if origin.signal == SIGCONT && is_stopped(*agent) => {
            let _ = kill_process(*agent, Signal::CONT);
        }
        Target::Agent(_) if origin.signal == SIGCONT => {}
        Target::Agent(agent) if is_for_us_alone(origin.signal, &origin.cause) => {
            // The agent may have ended; then there is nothing to tell it.
            if let Some(signal) = Signal::from_named_raw(origin.signal) {
                let _ = kill_process(*agent, signal);
            }
        }
        _ => {}
    }
}

/// Whether the agent has not got it as well.
fn is_for_us_alone(signal: i32, cause: &Cause) -> bool {
    match cause {
        Cause::Sent(_) => true,
        Cause::Kernel => false,
        // Where the system does not tell who sends, the keys of the terminal are the most likely.
        _ => !matches!(signal, SIGINT | SIGQUIT),
    }
}

fn lock(target: &Mutex<Target>) -> MutexGuard<'_, Target> {
    target.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A bit for each signal that this program was started to ignore. None where it is not told.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status)
}

fn ignored_in(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let parsed = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    parsed.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal_hook::low_level::siginfo::Sent;

    #[test]
    fn only_what_the_agent_has_not_got_is_passed_on() {
        let check = |signal: i32, cause: Cause, expected: bool| {
            assert_eq!(
                is_for_us_alone(signal, &cause),
                expected,
                "{signal} {cause:?}"
            );
        };
        check(SIGTERM, Cause::Sent(Sent::User), true);
        check(SIGINT, Cause::Sent(Sent::User), true);
        check(SIGINT, Cause::Sent(Sent::TKill), true);
        check(SIGINT, Cause::Kernel, false);
        check(SIGHUP, Cause::Kernel, false);
        check(SIGINT, Cause::Unknown, false);
        check(SIGTERM, Cause::Unknown, true);
    }

    #[test]
    fn ignored_signals_are_read() {
        let check = |status: &str, expected: u64| assert_eq!(ignored_in(status), expected);
        check("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n", 0x1001);
        check("SigIgn:\tx\n", 0);
        check("", 0);
    }
}
