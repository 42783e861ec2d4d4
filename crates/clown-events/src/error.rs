use std::fmt;

use serde::de;

/// Why a message could not be read.
///
/// The text names the event and the member where there is one: `ProfileStarted: member "pid": invalid type: string
/// "x", expected u32`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    message: String,
}

impl ParseError {
    /// A fault of the whole message.
    pub(crate) fn of_message(error: &serde_json::Error) -> Self {
        Self {
            message: error.to_string(),
        }
    }

    /// A fault in the data of the named message.
    pub(crate) fn in_data(name: &str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        // The position counts from the start of the data, which says nothing to someone who sees the whole message.
        let position = format!(" at line {} column {}", error.line(), error.column());
        let text = text.strip_suffix(&position).unwrap_or(&text);
        Self {
            message: format!("{name}: {text}"),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

/// Reads the value that follows a member's name; a second one is an error.
pub(crate) fn read_once<'de, T, A>(
    map: &mut A,
    member: &str,
    slot: &mut Option<T>,
) -> Result<(), A::Error>
where
    T: de::Deserialize<'de>,
    A: de::MapAccess<'de>,
{
    if slot.is_some() {
        return Err(doubled(member));
    }
    *slot = Some(
        map.next_value()
            .map_err(|error| in_member(member, &error))?,
    );
    Ok(())
}

/// Puts the member's name before the error. A member of a member becomes one path, `tokens.input_tokens`.
fn in_member<E: de::Error>(member: &str, error: &E) -> E {
    let text = error.to_string();
    match text.strip_prefix("member \"") {
        Some(rest) => E::custom(format_args!("member \"{member}.{rest}")),
        None => E::custom(format_args!("member \"{member}\": {text}")),
    }
}

/// The error for a member that must be there and is not.
pub(crate) fn missing<E: de::Error>(member: &str) -> E {
    E::custom(format_args!("member \"{member}\": missing"))
}

/// The error for a member that stands there twice.
fn doubled<E: de::Error>(member: &str) -> E {
    E::custom(format_args!("member \"{member}\": given twice"))
}
