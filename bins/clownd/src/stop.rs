//! What ends the daemon from outside.

use clown_events::ShutdownReason;
use std::io::{self, IsTerminal as _};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a daemon minds.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    in_terminal: bool,
}

impl Signals {
    /// From here on they do not end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            in_terminal: io::stderr().is_terminal(),
        })
    }

    /// Waits for one that asks the daemon to stop. SIGHUP does so where there is a terminal, which
    /// is then gone; elsewhere it is ignored: there is nothing to be read anew, files are watched.
    pub(crate) async fn stop(&mut self) -> ShutdownReason {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return ShutdownReason::Signal,
                _ = self.interrupt.recv() => return ShutdownReason::Signal,
                _ = self.hangup.recv() => {
                    if self.in_terminal {
                        return ShutdownReason::Signal;
                    }
                    tracing::info!("SIGHUP is ignored: files are read when they change");
                }
            }
        }
    }

    /// Waits for someone who does not want to wait.
    pub(crate) async fn interrupted_again(&mut self) {
        self.interrupt.recv().await;
    }
}
