//! Texts and templates.

use regex_lite::Regex;
use std::sync::LazyLock;

/// Whether the text is a name for people, and plain.
pub fn is_plain_name(text: &str) -> bool {
    is_plain(&text.replace(['(', ')', '&', '\''], ""))
}

/// Whether the text can stand in any file and variable and is nothing but itself there: some agents
/// run what stands in `$(…)`, and read files for `{file:…}`.
pub fn is_plain(text: &str) -> bool {
    has_plain_signs(text) && !text.contains("://")
}

fn has_plain_signs(text: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || " ._/@,:+=-".contains(letter);
    text.chars().all(plain)
}

/// What an expression of a template may be. Anything else could put texts together that do not
/// stand there.
static EXPRESSION: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^\s*(?:[a-z_]+(?: or [a-z_]+)?",
        r"|[a-z_]+ if [a-z_]+ else '[A-Za-z0-9_-]*'",
        r"|\{(?:\s*'[a-z-]+'\s*:\s*'[A-Za-z0-9_/-]*'\s*,?)*\s*\}\[format\](?:\s*\|\s*default\('[A-Za-z0-9_-]*'\))?",
        r")\s*$"
    ))
});

/// What may decide: whether values are empty, or the same.
static CONDITION: LazyLock<Regex> = LazyLock::new(|| {
    const ATOM: &str = r"(?:not )?[a-z_]+(?: ?[!=]= ?(?:[a-z_]+|'[A-Za-z0-9_-]*'))?";
    regex(&format!("^(?:el)?if {ATOM}(?: (?:and|or) {ATOM})*$"))
});

/// Variables that texts name, as agents' own files do it.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"\$\{([A-Z][A-Z0-9_]*)\}|\$([A-Z][A-Z0-9_]*)|\{env:([A-Z][A-Z0-9_]*)\}")
});

fn regex(pattern: &str) -> Regex {
    #[allow(
        clippy::expect_used,
        reason = "all patterns are above, and tests use them"
    )]
    Regex::new(pattern).expect("a pattern of this file")
}

/// Why a template may not stand where it does; None if it may. `is_own` knows the variables that the
/// manifest itself sets, which are all that it may name.
pub fn refused_template(text: &str, is_own: impl Fn(&str) -> bool) -> Option<&'static str> {
    if text.contains(['"', '\n', '\r']) {
        return Some("it has a double quote or a line break, as only configuration does");
    }
    let Some(literals) = without_tags(text) else {
        return Some("its template does more than fill in, choose and leave out");
    };
    let mut named = NAMED.captures_iter(&literals);
    let own = |found: regex_lite::Captures<'_>| {
        // A tag behind it could make it another name.
        let end = found.get(0).map_or(0, |whole| whole.end());
        let is_whole = found.get(2).is_none() || !literals[end..].starts_with(TAG);
        let name = (1..=3).find_map(|group| found.get(group));
        is_whole && name.is_some_and(|name| is_own(name.as_str()))
    };
    if !named.all(own) {
        return Some("it names a variable that the manifest does not set");
    }
    let literals = NAMED.replace_all(&literals, "").replace(TAG, "");
    if !has_plain_signs(&literals) {
        return Some("it has signs that some agents take for more than text");
    }
    // With anything between them: what stands there may come out empty.
    let is_address = literals
        .split_once(':')
        .is_some_and(|(_, behind)| behind.contains('/'));
    is_address.then_some("it has an address of its own, where only `{{ endpoint }}` may be one")
}

/// Whether the template is the endpoint, perhaps with a path behind it.
pub fn is_endpoint(text: &str) -> bool {
    let text = text
        .strip_prefix("{% if endpoint %}")
        .map_or(text, |inner| {
            inner.strip_suffix("{% endif %}").unwrap_or(inner)
        });
    let path = text.strip_prefix("{{ endpoint }}");
    path.is_some_and(|path| path.is_empty() || (path.starts_with('/') && is_plain(path)))
}

/// Whether the text is an `https` address of plain signs, which nobody takes for more.
pub fn is_web_address(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let rest = text.strip_prefix("https://");
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(fits))
}

/// Whether the template is a place in the profile's home.
pub fn is_below_home(text: &str) -> bool {
    let path = text.strip_prefix("{{ home }}/");
    path.is_some_and(|path| is_plain(path) && !path.split('/').any(|part| part == ".."))
}

/// In the place of a tag; no template has it.
const TAG: char = '\n';

/// What stands between the tags; None if one of them is not simple.
fn without_tags(text: &str) -> Option<String> {
    let mut literals = String::new();
    let mut rest = text;
    while let Some(at) = next_tag(rest) {
        literals.push_str(&rest[..at]);
        let (kind, inner) = rest[at..].split_at(2);
        let end = match kind {
            "{{" => "}}",
            "{%" => "%}",
            _ => return None,
        };
        let (tag, behind) = inner.split_once(end)?;
        let tag = tag.trim_matches('-').trim();
        let is_simple = match kind {
            "{{" => EXPRESSION.is_match(tag),
            _ => tag == "else" || tag == "endif" || CONDITION.is_match(tag),
        };
        if !is_simple {
            return None;
        }
        literals.push(TAG);
        rest = behind;
    }
    literals.push_str(rest);
    Some(literals)
}

/// Where the next tag begins. Not sought by kind: what is not there would be sought to the end, again
/// behind each tag.
fn next_tag(text: &str) -> Option<usize> {
    let mut pairs = text.as_bytes().windows(2);
    pairs.position(|pair| pair[0] == b'{' && b"{%#".contains(&pair[1]))
}

/// Why an id of a registry has no capitals.
pub const CAPITALS: &str = "ids that differ only by capitals are taken for each other";

pub fn has_capitals(id: &str) -> bool {
    id.chars().any(|letter| letter.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fills_in_and_chooses_and_does_nothing_else() {
        let check = |text: &str, part: Option<&str>| {
            let refused = refused_template(text, |name| name == "X_KEY");
            match part {
                None => assert_eq!(refused, None, "{text}"),
                Some(part) => assert!(
                    refused.is_some_and(|it| it.contains(part)),
                    "{text}: {refused:?}"
                ),
            }
        };
        for good in [
            "",
            "1",
            "{{ model }}",
            "{{ small_model or model }}",
            "x/{{- model -}}",
            "{% if auth == 'own' %}{{ key }}{% endif %}",
            "{% if endpoint %}{{ key if key else 'none' }}{% else %}no{% endif %}",
            "{{ {'openai-chat': 'openai/', 'gemini': 'google'}[format] }}",
            "{{ {'gemini': 'google'}[format] | default('') }}",
            "{% if endpoint and not key %}a{% elif endpoint and provider != 'anthropic' or small_model == model %}b{% endif %}",
            "${X_KEY}",
            "Bearer $X_KEY",
            "{env:X_KEY}",
            "custom:clown",
        ] {
            check(good, None);
        }
        check("{\"a\": 1}", Some("quote"));
        check("a\nb", Some("line break"));
        for code in [
            "{{ {'a': 'b'} }}",
            "{{ [model] }}",
            "{{ model | tojson }}",
            "{{ 'a' ~ 'b' }}",
            "{{ endpoint[:8] }}",
            "{% set a = 1 %}",
            "{# #}",
            "{% raw %}{{ x }}{% endraw %}",
            "{{ model",
            "{{ model * 2 }}",
            "{{ '\\x24' }}",
            "{% if range(100000) | sum %}x{% endif %}",
            "{% if 'x' * 100000000 %}x{% endif %}",
            "{% if a[0] %}x{% endif %}",
            "{% elif model | upper %}x{% endif %}",
            "{% if (model) %}x{% endif %}",
        ] {
            check(code, Some("more than fill in"));
        }
        check("https://evil.example", Some("address"));
        check("{{ model }}$AWS_SECRET_ACCESS_KEY", Some("does not set"));
        check("{env:GITHUB_TOKEN}", Some("does not set"));
        check("$X_KEY{{ model }}", Some("does not set"));
        check(
            "https:/{% if not alias %}x{% endif %}/evil",
            Some("address"),
        );
        for odd in [
            "$(reboot)",
            "`reboot`",
            "{file:/etc/passwd}",
            "${% if model %}(reboot)",
            "a;b",
            "a|b",
            "$x",
        ] {
            check(odd, Some("signs"));
        }
    }

    /// Twice as much takes twice as long, not four times.
    #[test]
    fn a_long_text_is_read_once() {
        let started = std::time::Instant::now();
        let refused = refused_template(&"{{key}}".repeat(40_000), |_| false);
        assert_eq!(refused, None);
        assert!(started.elapsed() < std::time::Duration::from_secs(20));
    }

    #[test]
    fn an_address_is_the_endpoint() {
        for good in [
            "{{ endpoint }}",
            "{{ endpoint }}/v1",
            "{% if endpoint %}{{ endpoint }}/v1{% endif %}",
        ] {
            assert!(is_endpoint(good), "{good}");
        }
        for evil in [
            "",
            "evil.example",
            "{{ model }}",
            "{{ endpoint }}.evil.example",
            "{{ endpoint }}@evil.example",
            "{{ endpoint }}/{{ model }}",
            "{% if endpoint %}evil{% endif %}",
        ] {
            assert!(!is_endpoint(evil), "{evil}");
        }
    }
}
