use super::Refusal;
use clown_events::Filter;
use http::StatusCode;

/// The parameters of an address. One that the route does not know, or that stands there twice, is
/// an error that names it.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, Refusal> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if !known.contains(&name.as_str()) {
                let detail = format!(
                    "there is no parameter {:?} here; the known ones are {}",
                    shortened(&name),
                    known.join(", ")
                );
                return Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "unknown_parameter",
                    detail,
                ));
            }
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(invalid(format!("the parameter {name} is given twice")));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// The value of `name`, if it is given.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let index = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(index).1)
    }

    /// The value of `name`, read by `parse`, whose error is a sentence for people.
    pub(crate) fn take_parsed<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Refusal> {
        self.take(name)
            .map(|value| {
                parse(&value).map_err(|error| invalid(format!("{name}: {}", error.to_string())))
            })
            .transpose()
    }

    /// Whether `name` is `true`; it is not where it is left out.
    pub(crate) fn take_flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(invalid(format!(
                "{name} is true or false, not {:?}",
                shortened(other)
            ))),
        }
    }

    /// The filter of `events` and `profile`.
    pub(crate) fn take_filter(&mut self) -> Result<Filter, Refusal> {
        let events = self.take("events");
        let profiles = self.take("profile");
        Filter::parse_strict(events.as_deref(), profiles.as_deref()).map_err(|error| {
            Refusal::new(StatusCode::BAD_REQUEST, "invalid_filter", error.to_string())
        })
    }
}

fn invalid(detail: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail)
}

/// Undoes percent encoding. `+` stays: times have it in their offset, and no value here a space.
fn decode(text: &str) -> Result<String, Refusal> {
    let malformed = || {
        invalid(format!(
            "the parameter {:?} is not percent-encoded UTF-8",
            shortened(text)
        ))
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2).ok_or_else(malformed)?;
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        match (digit(digits[0]), digit(digits[1])) {
            (Some(high), Some(low)) => bytes.push(high * 16 + low),
            _ => return Err(malformed()),
        }
        rest = behind;
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_taken_once() {
        let mut query = Query::parse(
            Some("since=2026-01-08T10%3a30:00%2B01:00&events=A%2CB&"),
            &["since", "events"],
        )
        .unwrap();
        assert_eq!(
            query.take("since").as_deref(),
            Some("2026-01-08T10:30:00+01:00")
        );
        assert_eq!(query.take("since"), None);
        assert_eq!(query.take("events").as_deref(), Some("A,B"));
        assert!(Query::parse(None, &[]).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |query: &str, part: &str| {
            let detail = format!("{:?}", Query::parse(Some(query), &["since"]).unwrap_err());
            assert!(detail.contains(part), "{query}: {detail}");
        };
        check("sinse=1", "sinse");
        check("since=1&since=2", "since is given twice");
        check("since=%", "percent");
        check("since=%zz", "percent");
        check("since=%ff", "percent");
    }
}
