//! Questions to the person at the terminal. They are asked on stderr, so that stdout stays what
//! programs read.

use anyhow::Context as _;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

/// Whether there is somebody to ask.
pub(crate) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// One line; the default where nothing is typed.
pub(crate) fn line(question: &str, default: &str) -> anyhow::Result<String> {
    let shown = if default.is_empty() {
        String::new()
    } else {
        format!(" [{default}]")
    };
    ask(&format!("{question}{shown}: "))?;
    let mut answer = String::new();
    let read = io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    anyhow::ensure!(read > 0, "the input ended before it was answered");
    let answer = answer.trim();
    Ok(if answer.is_empty() { default } else { answer }.to_owned())
}

/// One of several, by its number or its name; the first is the default.
pub(crate) fn choice(question: &str, options: &[(String, String)]) -> anyhow::Result<String> {
    for (at, (name, about)) in options.iter().enumerate() {
        ask(&format!("  {}) {name:14} {about}\n", at + 1))?;
    }
    loop {
        let answer = line(question, "1")?;
        let by_number = answer
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_sub(1));
        let chosen = by_number
            .and_then(|at| options.get(at))
            .or_else(|| options.iter().find(|(name, _)| *name == answer));
        match chosen {
            Some((name, _)) => return Ok(name.clone()),
            None => ask("Give the number or the name of one of these.\n")?,
        }
    }
}

/// A line that is not shown while it is typed.
pub(crate) fn hidden(question: &str) -> anyhow::Result<String> {
    ask(question)?;
    let typed = {
        let _quiet = Quiet::begin()?;
        read_hidden()
    };
    ask("\n")?;
    let typed = typed?.context("cancelled; nothing was kept")?;
    let key = typed.trim();
    anyhow::ensure!(!key.is_empty(), "nothing was typed");
    Ok(key.to_owned())
}

/// A terminal without echo, and without signals that would end this program in that state.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn begin() -> anyhow::Result<Self> {
        let before = tcgetattr(io::stdin()).context("cannot ask without showing the answer")?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)
            .context("cannot ask without showing the answer")?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // There is nobody to tell if the terminal has gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// What is typed up to Enter, or nothing if it was cancelled.
fn read_hidden() -> anyhow::Result<Option<String>> {
    edit(io::stdin().lock().bytes())
}

fn edit(bytes: impl Iterator<Item = io::Result<u8>>) -> anyhow::Result<Option<String>> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const BACKSPACE: u8 = 8;
    const CTRL_U: u8 = 21;
    const DELETE: u8 = 127;

    let mut typed = Vec::new();
    for byte in bytes {
        match byte.context("cannot read the answer")? {
            b'\n' | b'\r' => break,
            CTRL_C | CTRL_D => return Ok(None),
            BACKSPACE | DELETE => drop(typed.pop()),
            CTRL_U => typed.clear(),
            byte => typed.push(byte),
        }
    }
    Ok(Some(
        String::from_utf8(typed).context("what was typed is not UTF-8")?,
    ))
}

fn ask(text: &str) -> anyhow::Result<()> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{text}")
        .and_then(|()| stderr.flush())
        .context("cannot ask")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_a_key() {
        let check = |typed: &[u8], expected: Option<&str>| {
            let answer = edit(typed.iter().map(|byte| Ok(*byte))).unwrap();
            assert_eq!(answer.as_deref(), expected, "{typed:?}");
        };
        check(b"abc\nrest", Some("abc"));
        check(b"abx\x7fc\r", Some("abc"));
        check(b"wrong\x15abc\n", Some("abc"));
        check(b"\x08abc\n", Some("abc"));
        check(b"abc\x03", None);
        check(b"abc\x04\n", None);
    }
}
