//! A session of its own for the daemon, so that it outlives the terminal it was started from.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Makes the command's process the leader of a new session, without a terminal.
pub(crate) fn in_own_session(command: &mut Command) {
    let new_session = || match rustix::process::setsid() {
        Ok(_) => Ok(()),
        Err(error) => Err(io::Error::from(error)),
    };
    #[expect(
        unsafe_code,
        reason = "the standard library has no stable way to ask for setsid"
    )]
    // SAFETY: between fork and exec only async-signal-safe functions may be called. setsid is
    // one, and making an io::Error of an errno allocates nothing.
    unsafe {
        command.pre_exec(new_session);
    }
}
