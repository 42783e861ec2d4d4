//! What rules ask about a request, found in one pass over its body without keeping any of it.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// What is known of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The model that is asked for.
    pub model: String,
    /// About how many tokens the prompt has: a quarter of its letters.
    pub tokens: u64,
    /// How many tokens the answer may have; 0 if that is not said.
    pub max_tokens: u64,
    /// How many tools there are.
    pub tools: u64,
    /// How many images there are.
    pub images: u64,
    /// Whether the model is to think first.
    pub thinking: bool,
    /// Whether it may look things up on the web.
    pub web_search: bool,
    /// Whether the answer is to come as a stream.
    pub stream: bool,
    /// Whether an agent's helper asks.
    pub subagent: bool,
    /// Whether it is one of the small requests beside the person's own, such as for a title.
    pub background: bool,
    /// Whether the profile has used up its budget.
    pub over_budget: bool,
    /// The request's headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
}

/// The body is no request.
#[derive(Debug, thiserror::Error)]
#[error("the request's body is no JSON object: {0}")]
pub struct FactsError(#[from] serde_json::Error);

/// What an image counts for; its size says little about that.
const TOKENS_OF_IMAGE: u64 = 1_500;

/// Parts of names of models that agents use for what is small.
const SMALL: [&str; 4] = ["haiku", "nano", "mini", "lite"];

/// Headers that agents send with what their helpers ask.
const OF_SUBAGENTS: [&str; 2] = ["x-claude-code-agent-id", "x-openai-subagent"];

impl Facts {
    /// What the body and headers of a request say, in the format of Anthropic Messages, OpenAI Chat
    /// Completions or OpenAI Responses. `small_model` is the profile's own for small requests.
    pub fn of<'a>(
        body: &[u8],
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        small_model: Option<&str>,
    ) -> Result<Self, FactsError> {
        let mut facts = Self::default();
        let mut letters = 0;
        let mut reader = serde_json::Deserializer::from_slice(body);
        reader.deserialize_map(Body {
            facts: &mut facts,
            letters: &mut letters,
        })?;
        reader.end()?;
        facts.tokens = letters / 4 + facts.images * TOKENS_OF_IMAGE;
        facts.headers = headers
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        facts.subagent = OF_SUBAGENTS
            .iter()
            .any(|name| facts.headers.contains_key(*name));
        facts.background = match small_model {
            Some(small) => facts.model == small,
            None => {
                let model = facts.model.to_ascii_lowercase();
                // `gemini` is none.
                let mut words = model.split(|letter: char| !letter.is_alphanumeric());
                words.any(|word| SMALL.contains(&word))
            }
        };
        Ok(facts)
    }
}

struct Body<'a> {
    facts: &'a mut Facts,
    letters: &'a mut u64,
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { facts, letters } = self;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match name.as_ref() {
                "model" => {
                    if let Some(model) = map.next_value::<Option<String>>()? {
                        facts.model = model;
                    }
                }
                "stream" => facts.stream = map.next_value::<Option<bool>>()? == Some(true),
                "max_tokens" | "max_completion_tokens" | "max_output_tokens" => {
                    facts.max_tokens = map.next_value::<Option<u64>>()?.unwrap_or_default();
                }
                "thinking" | "reasoning" | "reasoning_effort" => {
                    let asked: serde_json::Value = map.next_value()?;
                    facts.thinking |= is_thinking(&asked);
                }
                "web_search_options" => {
                    facts.web_search |= map.next_value::<Option<IgnoredAny>>()?.is_some();
                }
                "tools" => map.next_value_seed(Tools { facts, letters })?,
                "messages" | "system" | "input" | "instructions" | "contents"
                | "systemInstruction" => map.next_value_seed(Walk {
                    images: &mut facts.images,
                    letters,
                    counts: true,
                    is_type: false,
                })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

fn is_thinking(asked: &serde_json::Value) -> bool {
    use serde_json::Value;
    let off = ["disabled", "none", "minimal"];
    match asked {
        Value::String(effort) => !off.contains(&effort.as_str()),
        Value::Object(members) => {
            let named = members.get("type").or_else(|| members.get("effort"));
            match named.and_then(Value::as_str) {
                Some(how) => !off.contains(&how),
                None => members.get("budget_tokens").is_some(),
            }
        }
        _ => false,
    }
}

struct Tools<'a> {
    facts: &'a mut Facts,
    letters: &'a mut u64,
}

impl<'de> DeserializeSeed<'de> for Tools<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tools<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of tools")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items
            .next_element_seed(Tool {
                web_search: &mut self.facts.web_search,
                letters: self.letters,
            })?
            .is_some()
        {
            self.facts.tools += 1;
        }
        Ok(())
    }
}

struct Tool<'a> {
    web_search: &'a mut bool,
    letters: &'a mut u64,
}

impl<'de> DeserializeSeed<'de> for Tool<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tool<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a tool")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut images = 0;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            *self.letters += name.len() as u64;
            if name == "type" {
                let kind = map.next_value::<Option<std::borrow::Cow<'de, str>>>()?;
                *self.web_search |= kind.is_some_and(|kind| kind.starts_with("web_search"));
                continue;
            }
            *self.web_search |= name == "googleSearch";
            map.next_value_seed(Walk {
                images: &mut images,
                letters: self.letters,
                counts: true,
                is_type: false,
            })?;
        }
        Ok(())
    }
}

/// Goes through a value and counts what is in it.
struct Walk<'a> {
    images: &'a mut u64,
    letters: &'a mut u64,
    /// Whether texts are part of the prompt; what is in an image is not.
    counts: bool,
    /// Whether a text here says what the value around it is.
    is_type: bool,
}

impl Walk<'_> {
    fn inner(&mut self, counts: bool, is_type: bool) -> Walk<'_> {
        Walk {
            images: self.images,
            letters: self.letters,
            counts,
            is_type,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.is_type {
            *self.images += u64::from(["image", "image_url", "input_image"].contains(&text));
        } else if self.counts && !text.starts_with("data:") {
            *self.letters += text.len() as u64;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            // Base64, signatures and ids are no text of the prompt, or not in proportion.
            let counts =
                self.counts && !["data", "signature", "encrypted_content"].contains(&name.as_ref());
            map.next_value_seed(self.inner(counts, name == "type"))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let counts = self.counts;
        while items
            .next_element_seed(self.inner(counts, false))?
            .is_some()
        {}
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn facts(body: &Value) -> Facts {
        Facts::of(body.to_string().as_bytes(), [], None).unwrap()
    }

    #[test]
    fn a_request_of_each_format() {
        let text = "x".repeat(4_000);
        let messages = facts(&json!({
            "model": "claude-sonnet-5", "max_tokens": 32_000, "stream": true,
            "thinking": {"type": "enabled", "budget_tokens": 1_000},
            "system": [{"type": "text", "text": text}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "image", "source": {"type": "base64", "data": text}},
                    {"type": "tool_result", "content": [{"type": "image", "source": {"data": "x"}}]},
                ]},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": text}]},
            ],
            "tools": [{"name": "Bash", "description": "d"}, {"type": "web_search_20250305", "name": "web_search"}],
        }));
        assert_eq!(
            (
                messages.model.as_str(),
                messages.max_tokens,
                messages.tools,
                messages.images
            ),
            ("claude-sonnet-5", 32_000, 2, 2)
        );
        assert!(messages.stream && messages.thinking && messages.web_search);
        assert!(
            (4_000..4_100).contains(&messages.tokens),
            "{}",
            messages.tokens
        );

        let chat = facts(&json!({
            "model": "gpt-5-mini", "max_completion_tokens": 5, "reasoning_effort": "none",
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": text},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{text}")}},
            ]}],
        }));
        assert_eq!((chat.max_tokens, chat.images, chat.tools), (5, 1, 0));
        assert!(chat.background && !chat.thinking && !chat.stream && !chat.web_search);
        assert!((2_500..2_600).contains(&chat.tokens), "{}", chat.tokens);

        let responses = facts(&json!({
            "model": "gpt-5.5", "instructions": text, "reasoning": {"effort": "high"},
            "input": [{"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}],
            "tools": [{"type": "function", "name": "shell"}],
        }));
        assert_eq!((responses.images, responses.tools), (1, 1));
        assert!(responses.thinking && !responses.background);
    }

    #[test]
    fn text_that_looks_like_a_request_is_text() {
        let inner = json!({"type": "image", "tools": [1], "stream": true}).to_string();
        let found = facts(&json!({"messages": [{"role": "user", "content": inner}]}));
        assert_eq!((found.images, found.tools, found.stream), (0, 0, false));
        let names = facts(&json!({"model": "gemini-2.5-pro", "messages": null, "tools": null}));
        assert!(!names.background);
    }

    #[test]
    fn headers_and_the_small_model() {
        let body = br#"{"model":"a"}"#;
        let of = |headers: &[(&'static str, &'static str)], small| {
            Facts::of(body, headers.iter().copied(), small).unwrap()
        };
        assert!(of(&[("X-Claude-Code-Agent-Id", "1")], None).subagent);
        assert!(!of(&[("X-Claude-Code-Session-Id", "1")], None).subagent);
        assert!(of(&[], Some("a")).background && !of(&[], Some("b")).background);
        assert_eq!(of(&[("X-A", "b")], None).headers["x-a"], "b");
    }

    #[test]
    fn what_is_no_request_is_told() {
        for body in [
            "",
            "[]",
            "{",
            "{} x",
            "{\"model\":1}",
            "{\"tools\":{}}",
            "\u{1}",
        ] {
            let error = Facts::of(body.as_bytes(), [], None)
                .unwrap_err()
                .to_string();
            assert!(error.contains("no JSON object"), "{body}: {error}");
        }
    }
}
