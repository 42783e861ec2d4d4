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
    /// Never waited for: that it is minded keeps it from ending the process. A file that may not
    /// grow (`ulimit -f`) is then an error of the write, as a full disk is.
    _file_size: Signal,
    in_terminal: bool,
}

impl Signals {
    /// From here on they do not end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
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
