use super::VariableName;
use serde::Deserialize;

/// The name of an environment variable, or a `*` in the place of any part of one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NamePattern(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Name(VariableName),
    Around { start: String, end: String },
}

impl NamePattern {
    /// The one name that it means; None if it means several.
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Kind::Name(name) => Some(name.as_str()),
            Kind::Around { .. } => None,
        }
    }

    /// Whether `name` is meant.
    pub fn matches(&self, name: &str) -> bool {
        match &self.0 {
            Kind::Name(own) => own.as_str() == name,
            Kind::Around { start, end } => name
                .strip_prefix(start.as_str())
                .is_some_and(|rest| rest.ends_with(end.as_str())),
        }
    }
}

impl TryFrom<String> for NamePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let Some((start, end)) = text.split_once('*') else {
            return VariableName::try_from(text).map(|name| Self(Kind::Name(name)));
        };
        if end.contains('*') {
            return Err(format!(
                "`{text}` has more than one `*`: write two patterns"
            ));
        }
        // Checks the letters too. A pattern for every variable would take PATH and HOME away.
        VariableName::try_from(format!("{start}{end}"))
            .map_err(|_| format!("`{text}` is no part of the name of an environment variable"))?;
        Ok(Self(Kind::Around {
            start: start.to_owned(),
            end: end.to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Result<NamePattern, String> {
        NamePattern::try_from(text.to_owned())
    }

    #[test]
    fn what_is_meant() {
        let check = |text: &str, meant: &[&str], others: &[&str]| {
            let pattern = pattern(text).unwrap();
            assert!(meant.iter().all(|name| pattern.matches(name)), "{text}");
            assert!(!others.iter().any(|name| pattern.matches(name)), "{text}");
        };
        check("A_KEY", &["A_KEY"], &["A_KEYS", "AA_KEY", "a_key", ""]);
        check("*_KEY", &["A_KEY", "_KEY"], &["A_KEY_FILE", "KEY"]);
        check("AWS_*", &["AWS_REGION", "AWS_"], &["MY_AWS_REGION", "AWS"]);
        check("A_*_KEY", &["A_B_KEY", "A__KEY"], &["A_KEY", "B_A_B_KEY"]);
        assert_eq!(pattern("A_KEY").unwrap().name(), Some("A_KEY"));
        assert_eq!(pattern("A_*").unwrap().name(), None);
    }

    #[test]
    fn what_is_no_pattern() {
        for text in ["", "*", "**", "A*B*", "A=*"] {
            assert!(pattern(text).is_err(), "{text}");
        }
    }
}
