//! The line of `/proc/<pid>/stat`.

/// What is used of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub state: u8,
    /// In clock ticks since boot.
    pub start: u64,
    /// As `wait` reports it; meaningful for a zombie only.
    pub wait_status: Option<i32>,
}

impl Stat {
    /// The process has ended; `X` is shown while the last of it is taken away.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// None when this is no such line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        // The second field is the program's name in parentheses, and can itself hold spaces,
        // parentheses and bytes that are no UTF-8; no later field can.
        let name_end = line.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(line.get(name_end + 1..)?).ok()?;
        // Numbered as in proc(5), where the state is field 3.
        let field = |number: usize| rest.split_ascii_whitespace().nth(number - 3);
        Some(Self {
            state: *field(3)?.as_bytes().first()?,
            start: field(22)?.parse().ok()?,
            wait_status: field(52).and_then(|code| code.parse().ok()),
        })
    }
}

/// The code of what `wait` reports: 128+N when signal N ended the process.
pub(super) fn code_of_wait_status(status: i32) -> i32 {
    match status & 0x7f {
        0 => (status >> 8) & 0xff,
        signal => 128 + signal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_confuse_the_line() {
        let numbers = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 256";
        let check = |name: &str, state: char, ended: bool| {
            let line = format!("42 ({name}) {state} {numbers}\n");
            let stat = Stat::parse(line.as_bytes()).expect(name);
            assert_eq!(stat.start, 777, "{name}");
            assert_eq!(stat.wait_status, Some(256), "{name}");
            assert_eq!(stat.is_ended(), ended, "{name}");
        };
        check("sleep", 'S', false);
        check("a b", 'R', false);
        check(") R 1 2 (", 'T', false);
        check("", 'Z', true);
    }

    #[test]
    fn no_input_panics() {
        for line in [
            "",
            ")",
            "42 (x)",
            "42 (x) ",
            "42 (x) S 1 2",
            "(((",
            "42 (x) S é",
        ] {
            assert_eq!(Stat::parse(line.as_bytes()), None, "{line:?}");
        }
        assert_eq!(Stat::parse(b"42 (\xff) S \xff"), None);
    }

    #[test]
    fn codes() {
        let check = |status: i32, code: i32| assert_eq!(code_of_wait_status(status), code);
        check(0, 0);
        check(7 << 8, 7);
        check(255 << 8, 255);
        check(9, 137);
        check(11 | 0x80, 139); // with a core dump
    }
}
