use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Who answers a request: a provider and its model, or nobody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// `provider/model`. Models may have slashes of their own.
    Model {
        /// The provider's id.
        provider: String,
        /// The model, as the provider calls it; None for the one that was asked for.
        model: Option<String>,
    },
    /// `refuse`: the request is answered with an error.
    Refuse(Refusal),
}

/// That a rule refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refusal;

/// No target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no target: write provider/model, such as gemini/gemini-2.5-pro; provider/* for the model that was asked for; or refuse"
)]
pub struct TargetError {
    text: String,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if text == "refuse" {
            return Ok(Self::Refuse(Refusal));
        }
        let wrong = || TargetError {
            text: text.chars().take(200).collect(),
        };
        let (provider, model) = text.split_once('/').ok_or_else(wrong)?;
        let is_id = !provider.is_empty()
            && provider
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let is_model = !model.is_empty()
            && model
                .chars()
                .all(|letter| !letter.is_whitespace() && !letter.is_control());
        if !is_id || !is_model {
            return Err(wrong());
        }
        Ok(Self::Model {
            provider: provider.to_owned(),
            model: (model != "*").then(|| model.to_owned()),
        })
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model { provider, model } => {
                write!(formatter, "{provider}/{}", model.as_deref().unwrap_or("*"))
            }
            Self::Refuse(_) => formatter.write_str("refuse"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_written() {
        for text in [
            "gemini/gemini-2.5-pro",
            "openrouter/deepseek/deepseek-chat:free",
            "anthropic/*",
            "refuse",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["", "gemini", "/x", "a b/c", "a/", "a/b c", "Refuse"] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains("provider/model"), "{error}");
        }
    }
}
