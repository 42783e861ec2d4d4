use crate::{World, cannot_run, wait_for};
use std::process::Command;

/// A shell in a terminal of its own, by tmux.
#[derive(Debug)]
pub struct Terminal<'a> {
    world: &'a World,
    socket: String,
}

impl<'a> Terminal<'a> {
    /// None where there is no tmux, and none is demanded.
    ///
    /// # Panics
    /// When tmux cannot start, or there is none where it is demanded.
    pub fn open(world: &'a World) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            cannot_run("install tmux");
            return None;
        }
        let terminal = Self {
            world,
            socket: world.path("tmux").display().to_string(),
        };
        // A plain shell with job control and a prompt that is easy to find.
        terminal.tmux(&[
            "new-session",
            "-d",
            "-x",
            "120",
            "-y",
            "30",
            "env PS1='ready> ' bash --norc -i",
        ]);
        terminal.wait_for("ready>");
        Some(terminal)
    }

    /// What a command of tmux prints.
    ///
    /// # Panics
    /// When it fails.
    fn tmux(&self, arguments: &[&str]) -> String {
        let output = self
            .world
            .command("tmux".as_ref())
            .args(["-S", &self.socket, "-f", "/dev/null"])
            .args(arguments)
            .env("TERM", "xterm")
            .output()
            .expect("tmux can be started");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types a line and Enter.
    pub fn type_line(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.press("Enter");
    }

    /// Presses a key, by tmux's name for it.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// What is to be seen.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// What is to be seen once `text` is among it.
    ///
    /// # Panics
    /// When that does not happen.
    pub fn wait_for(&self, text: &str) -> String {
        wait_for(text, || {
            Some(self.screen()).filter(|screen| screen.contains(text))
        })
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
