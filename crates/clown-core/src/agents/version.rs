//! How a program is asked for its version.

use serde::Deserialize;

/// How a program tells its version.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionCommand {
    /// The arguments that make it tell.
    pub args: Vec<String>,
    /// Finds the version in what it prints.
    pub pattern: Pattern,
}

/// In bytes; the longest of a built-in one has 50.
const MAX_PATTERN: usize = 500;
/// In bytes, of what the expression becomes. Looking for it takes as long as it is large.
const MAX_EXPRESSION: usize = 64 * 1024;

/// A regular expression whose only group is the version.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(regex_lite::Regex);

impl Pattern {
    /// The version, if `output` tells one.
    pub fn version_in(&self, output: &str) -> Option<String> {
        let version = self.0.captures(output)?.get(1)?.as_str().trim();
        (!version.is_empty()).then(|| version.to_owned())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > MAX_PATTERN {
            return Err(format!(
                "the pattern is longer than {MAX_PATTERN} bytes: look for the version's surroundings only"
            ));
        }
        let expression = regex_lite::RegexBuilder::new(&text)
            .size_limit(MAX_EXPRESSION)
            .build()
            .map_err(|error| format!("this is no regular expression: {error}"))?;
        match expression.captures_len() - 1 {
            1 => Ok(Self(expression)),
            0 => Err("the pattern has no group: put the version's part in ( )".to_owned()),
            groups => Err(format!(
                "the pattern has {groups} groups: put the version's part alone in ( ), others in (?: )"
            )),
        }
    }
}
