use serde::Deserialize;
use std::collections::BTreeMap;

/// An `http` or `https` address without a slash at its end. What differs from person to person is
/// named in braces, as in `https://{AZURE_RESOURCE_NAME}.openai.azure.com`: a variable that a
/// profile sets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EndpointUrl(String);

/// An address cannot be made whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfilled<'a> {
    /// The variable is not set.
    Missing(&'a str),
    /// Its value cannot stand in an address.
    Unfit(&'a str),
}

impl EndpointUrl {
    /// As the manifest has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The variables that it names.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        let parts = self.0.split('{').skip(1);
        parts.filter_map(|part| part.split_once('}').map(|(name, _)| name))
    }

    /// As agents get it, with the values of `variables`.
    pub fn fill(&self, variables: &BTreeMap<String, String>) -> Result<String, Unfilled<'_>> {
        let mut filled = self.0.clone();
        for name in self.placeholders() {
            let value = variables.get(name).filter(|value| !value.is_empty());
            let value = value.ok_or(Unfilled::Missing(name))?;
            if !is_fit(value) {
                return Err(Unfilled::Unfit(name));
            }
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        Ok(filled)
    }
}

/// Nothing that would end the part of an address that it stands in: a key must not go elsewhere.
fn is_fit(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    value.bytes().all(plain) && !value.contains("..")
}

impl TryFrom<String> for EndpointUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = without_placeholders(&text)?;
        let rest = plain
            .strip_prefix("https://")
            .or_else(|| plain.strip_prefix("http://"));
        let host = rest.map_or("", |rest| rest.split('/').next().unwrap_or(""));
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || !printable || text.contains(['?', '#', '"', '\\']) {
            return Err(format!(
                "`{text}` is no address: it must begin with http:// or https:// and have a host, no query and no spaces"
            ));
        }
        if host.contains('@') {
            return Err(
                "the address holds a user or a password: keep keys out of manifests".to_owned(),
            );
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// With a letter for each placeholder; an error if a brace is not one's.
fn without_placeholders(text: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "`{text}` has a brace that names no variable: write it as in https://{{MY_REGION}}.host"
        )
    };
    let mut parts = text.split('{');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').ok_or_else(wrong)?;
        let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let begins_well = name.starts_with(|first: char| first.is_ascii_uppercase());
        if !begins_well || !name.bytes().all(capital) {
            return Err(wrong());
        }
        plain.push('x');
        plain.push_str(rest);
    }
    if plain.contains('}') {
        return Err(wrong());
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_with_what_fits() {
        let check = |url: &str, variables: &[(&str, &str)], expected: Result<&str, Unfilled>| {
            let url = EndpointUrl::try_from(url.to_owned()).unwrap();
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let variables: BTreeMap<_, _> = variables.iter().map(owned).collect();
            let filled = url.fill(&variables);
            assert_eq!(filled.as_deref().map_err(|problem| *problem), expected);
        };
        let url = "https://{NAME}.a.example/{NAME}/v1";
        check("https://a.example/", &[], Ok("https://a.example"));
        check(
            url,
            &[("NAME", "me-1")],
            Ok("https://me-1.a.example/me-1/v1"),
        );
        check(url, &[], Err(Unfilled::Missing("NAME")));
        check(url, &[("NAME", "")], Err(Unfilled::Missing("NAME")));
        for evil in [
            "evil.example/",
            "a@b",
            "a:1",
            "a b",
            "a#",
            "{NAME}",
            "a/../b",
            "..",
        ] {
            check(url, &[("NAME", evil)], Err(Unfilled::Unfit("NAME")));
        }
    }

    #[test]
    fn a_brace_that_names_nothing_is_refused() {
        for wrong in [
            "https://{name}.example",
            "https://{}.example",
            "https://{A.example",
            "https://A}.example",
            "https://{A B}.example",
            "https://{1A}.example",
        ] {
            let error = EndpointUrl::try_from(wrong.to_owned()).unwrap_err();
            assert!(error.contains("brace"), "{error}");
        }
        assert!(EndpointUrl::try_from("{SCHEME}://a.example".to_owned()).is_err());
    }
}
