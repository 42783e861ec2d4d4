use rustix::process::getpgrp;
use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr};

/// The terminal's settings as they were, for an agent that ends without putting them back.
#[derive(Debug)]
pub(crate) struct Terminal {
    settings: Option<Termios>,
}

impl Terminal {
    /// Remembers how the terminal is set, where there is one.
    pub(crate) fn remember() -> Self {
        let settings = isatty(stdin()).then(|| tcgetattr(stdin()).ok()).flatten();
        Self { settings }
    }

    /// Puts the settings back.
    pub(crate) fn restore(&self) {
        let Some(settings) = &self.settings else {
            return;
        };
        // From the background this would stop the program; and whoever is in the foreground now
        // has settings of its own.
        if tcgetpgrp(stdin()).is_ok_and(|foreground| foreground == getpgrp()) {
            // A terminal that is gone needs none.
            let _ = tcsetattr(stdin(), OptionalActions::Drain, settings);
        }
    }
}
