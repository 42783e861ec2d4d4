use anstyle::Style;
use serde::Serialize;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

/// Whoever read the output has gone: time to end, and nothing to complain about.
#[derive(Debug)]
pub(crate) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the output was closed")
    }
}

impl std::error::Error for Closed {}

/// Standard output, in the form that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let colour = !json && io::stdout().is_terminal() && colour_is_wanted();
        Self { json, colour }
    }

    /// Whether a program reads.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// One line.
    pub(crate) fn line(self, text: impl fmt::Display) -> anyhow::Result<()> {
        self.text(format_args!("{text}\n"))
    }

    /// Text that has its line ends already.
    pub(crate) fn text(self, text: impl fmt::Display) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        write!(stdout, "{text}")
            .and_then(|()| stdout.flush())
            .map_err(closed_or)
    }

    /// What was done, for people: programs get JSON on stdout, and this on stderr.
    pub(crate) fn told(self, text: impl fmt::Display) -> anyhow::Result<()> {
        if self.json {
            note(text);
            Ok(())
        } else {
            self.line(text)
        }
    }

    /// One JSON document.
    pub(crate) fn json(self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_string_pretty(value)?)
    }

    /// `text` in this style, where styles are wanted.
    pub(crate) fn paint(self, style: Style, text: impl fmt::Display) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }
}

/// A line for people on stderr. That nobody reads it is no reason to fail.
pub(crate) fn note(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Waits until whoever reads standard output has gone, where that can be known.
pub(crate) async fn reader_gone() {
    // A thread of its own: it waits as long as there is a reader, and nobody waits for it.
    let has_gone = tokio::task::spawn_blocking(wait_for_reader).await;
    if !matches!(has_gone, Ok(true)) {
        std::future::pending::<()>().await;
    }
}

/// Blocks until standard output is broken. False if that cannot be waited for.
fn wait_for_reader() -> bool {
    use rustix::event::{PollFd, PollFlags, poll};

    let stdout = io::stdout();
    loop {
        // Errors are told whatever is asked for, and nothing else is of interest.
        let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
        match poll(&mut fds, None) {
            Ok(_) => return fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn colour_is_wanted() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn closed_or(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Closed.into()
    } else {
        anyhow::Error::new(error).context("cannot write the output")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstyle::AnsiColor;

    #[test]
    fn styles_only_where_wanted() {
        let green = AnsiColor::Green.on_default();
        let paint = |colour| {
            Output {
                json: false,
                colour,
            }
            .paint(green, "ok")
        };
        assert_eq!(paint(false), "ok");
        assert_eq!(paint(true), "\u{1b}[32mok\u{1b}[0m");
    }

    #[test]
    fn a_closed_pipe_is_told_apart() {
        assert!(closed_or(io::ErrorKind::BrokenPipe.into()).is::<Closed>());
        assert!(!closed_or(io::ErrorKind::StorageFull.into()).is::<Closed>());
    }
}
