//! Text that shells read back as it was.

use clap::ValueEnum;
use serde_json::Value;
use std::collections::BTreeMap;

/// Who is to read the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// sh, bash, zsh, dash, ksh
    Sh,
    /// fish
    Fish,
    /// A program: one object of names and values, null where a variable is to be unset
    Json,
}

/// Lines that set and unset variables, and the names of those that the shell cannot have.
pub(crate) struct Script {
    pub(crate) text: String,
    pub(crate) left_out: Vec<String>,
}

/// The changes as `shell` takes them.
pub(crate) fn script(shell: Shell, env: &BTreeMap<String, Option<String>>) -> Script {
    let mut script = Script {
        text: String::new(),
        left_out: Vec::new(),
    };
    if shell == Shell::Json {
        let members = env.iter().map(|(name, value)| {
            let value = value.clone().map_or(Value::Null, Value::String);
            (name.clone(), value)
        });
        script.text = format!("{}\n", Value::Object(members.collect()));
        return script;
    }
    for (name, value) in env {
        // Another name would be read as something else: a command, perhaps.
        if !is_identifier(name) {
            if value.is_some() {
                script.left_out.push(name.clone());
            }
            continue;
        }
        let line = match (shell, value) {
            (Shell::Fish, Some(value)) => format!("set -gx {name} {};\n", fish_quoted(value)),
            (Shell::Fish, None) => format!("set -e {name};\n"),
            (_, Some(value)) => format!("export {name}={};\n", quoted(value)),
            (_, None) => format!("unset {name};\n"),
        };
        script.text.push_str(&line);
    }
    script
}

fn is_identifier(name: &str) -> bool {
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    begins_well
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// One word of a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The same, where the text is none by itself.
pub(crate) fn quoted_if_needed(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn fish_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    #[test]
    fn lines_of_each_shell() {
        let env = BTreeMap::from([
            ("A".to_owned(), Some("it's \\ $HOME `id`".to_owned())),
            ("B".to_owned(), None),
            ("C-D".to_owned(), Some("1".to_owned())),
            ("E;id".to_owned(), None),
        ]);
        let check = |shell, expected: &str, left_out: &[&str]| {
            let script = script(shell, &env);
            assert_eq!(script.text, expected);
            assert_eq!(script.left_out, left_out);
        };
        check(
            Shell::Sh,
            "export A='it'\\''s \\ $HOME `id`';\nunset B;\n",
            &["C-D"],
        );
        check(
            Shell::Fish,
            "set -gx A 'it\\'s \\\\ $HOME `id`';\nset -e B;\n",
            &["C-D"],
        );
        check(
            Shell::Json,
            "{\"A\":\"it's \\\\ $HOME `id`\",\"B\":null,\"C-D\":\"1\",\"E;id\":null}\n",
            &[],
        );
    }

    #[test]
    fn words_for_people() {
        let check = |text: &str, expected: &str| assert_eq!(quoted_if_needed(text), expected);
        check("--model=a/b:c", "--model=a/b:c");
        check("", "''");
        check("a b", "'a b'");
        check("it's", r"'it'\''s'");
    }

    /// What the shell's own child finds in its environment after the script.
    fn read_back(program: &str, args: &[&str], text: &str) -> Option<Vec<(String, String)>> {
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/nonexistent")
            .env("GONE", "still there")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut input = child.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program}: {text:?}");
        let found = output.stdout.split(|byte| *byte == 0);
        let text = found.map(|entry| String::from_utf8(entry.to_vec()).unwrap());
        Some(
            text.filter_map(|entry| {
                let (name, value) = entry.split_once('=')?;
                Some((name.to_owned(), value.to_owned()))
            })
            .collect(),
        )
    }

    fn check_read_back(shell: Shell, program: &str, args: &[&str], values: &[String]) {
        let mut env: BTreeMap<String, Option<String>> = values
            .iter()
            .enumerate()
            .map(|(index, value)| (format!("V{index}"), Some(value.clone())))
            .collect();
        env.insert("GONE".to_owned(), None);
        let Some(found) = read_back(program, args, &script(shell, &env).text) else {
            // That shell is not on this machine.
            return;
        };
        for (index, value) in values.iter().enumerate() {
            let name = format!("V{index}");
            let back = found.iter().find(|(found, _)| *found == name);
            assert_eq!(back.map(|(_, back)| back), Some(value), "{program} {name}");
        }
        assert!(found.iter().all(|(name, _)| name != "GONE"), "{program}");
    }

    /// What an environment can hold: everything but NUL. What shells treat as special comes often.
    fn value() -> impl Strategy<Value = String> {
        let special = proptest::sample::select(vec![
            "'",
            "\"",
            "\\",
            "$",
            "`",
            "\n",
            "\r",
            "\t",
            "!",
            "*",
            "~",
            "#",
            ";",
            "&",
            "|",
            "(",
            "$(id)",
            "\\'",
            "''",
            "%",
            "{a,b}",
            "\u{7f}",
            "\u{1b}[31m",
            "é",
            "-n",
        ]);
        let part = prop_oneof![
            special.prop_map(str::to_owned),
            "[^\\x00]{0,6}".prop_map(|text| text),
        ];
        proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn real_shells_read_what_was_written(values in proptest::collection::vec(value(), 1..60)) {
            // As `eval "$(clown profiles env ALIAS)"` reads it.
            let eval = ["-c", "script=$(cat; echo x); eval \"${script%x}\"; exec env -0"];
            for program in ["sh", "bash", "zsh", "dash"] {
                check_read_back(Shell::Sh, program, &eval, &values);
            }
            let source = ["--no-config", "-c", "source; exec env -0"];
            check_read_back(Shell::Fish, "fish", &source, &values);
        }
    }
}
