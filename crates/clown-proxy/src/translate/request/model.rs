//! A request apart from any format. Strings and schemas are borrowed from the caller's body.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::happening::Signature;
use crate::json::{Text, Words};

pub(super) type Str<'a> = Cow<'a, str>;

#[derive(Debug, Default)]
pub(super) struct Request<'a> {
    pub(super) model: Str<'a>,
    pub(super) stream: bool,
    pub(super) system: Vec<Part<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) choice: Option<Choice>,
    pub(super) parallel: Option<bool>,
    pub(super) max_tokens: Option<u64>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u64>,
    pub(super) stop: Vec<Str<'a>>,
    pub(super) thinking: Thinking,
    pub(super) shape: Option<AnswerShape<'a>>,
    pub(super) verbosity: Option<Str<'a>>,
    pub(super) user: Option<Str<'a>>,
    pub(super) cache_key: Option<Str<'a>>,
    /// A caller of Chat wants a chunk with usage.
    pub(super) include_usage: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// An instruction in the middle of a conversation.
    System,
    User,
    Assistant,
}

#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) role: Role,
    pub(super) parts: Vec<Part<'a>>,
}

/// A caller's `cache_control`, as it stands.
pub(super) type Cache<'a> = Option<&'a RawValue>;

#[derive(Debug, Clone)]
pub(super) enum Part<'a> {
    Text {
        text: Words<'a>,
        cache: Cache<'a>,
    },
    Image {
        source: Source<'a>,
        detail: Option<Str<'a>>,
        cache: Cache<'a>,
    },
    Document {
        source: Source<'a>,
        name: Option<Str<'a>>,
        cache: Cache<'a>,
    },
    Thinking {
        text: Str<'a>,
        signature: Option<Signature>,
    },
    Redacted(Signature),
    Call {
        id: Str<'a>,
        name: String,
        arguments: Str<'a>,
        cache: Cache<'a>,
    },
    Result {
        id: Str<'a>,
        parts: Vec<Part<'a>>,
        error: bool,
        cache: Cache<'a>,
    },
}

impl<'a> AsRef<Part<'a>> for Part<'a> {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<'a> Part<'a> {
    pub(super) fn text(text: impl Into<Words<'a>>) -> Self {
        Self::Text {
            text: text.into(),
            cache: None,
        }
    }

    /// What is said, where that is plain text.
    pub(super) fn words(&self) -> Option<&Words<'a>> {
        match self {
            Self::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(super) fn cache(&self) -> Cache<'a> {
        match self {
            Self::Text { cache, .. }
            | Self::Image { cache, .. }
            | Self::Document { cache, .. }
            | Self::Call { cache, .. }
            | Self::Result { cache, .. } => *cache,
            Self::Thinking { .. } | Self::Redacted(_) => None,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Source<'a> {
    Url(Str<'a>),
    /// Base64.
    Data {
        media: Str<'a>,
        data: Str<'a>,
    },
    /// A document that is plain text.
    Plain(Str<'a>),
    /// A file that the provider keeps.
    File(Str<'a>),
}

impl<'a> Source<'a> {
    /// An address, or the data in it.
    pub(super) fn from_url(url: Str<'a>) -> Self {
        match url {
            Cow::Borrowed(url) => match data_url(url) {
                Some((media, data)) => Self::Data {
                    media: media.into(),
                    data: data.into(),
                },
                None => Self::Url(url.into()),
            },
            Cow::Owned(url) => match data_url(&url) {
                Some((media, data)) => Self::Data {
                    media: media.to_owned().into(),
                    data: data.to_owned().into(),
                },
                None => Self::Url(url.into()),
            },
        }
    }
}

fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    Some((head.split(';').next().unwrap_or(head), data))
}

#[derive(Debug)]
pub(super) struct Tool<'a> {
    /// On the wire.
    pub(super) name: String,
    pub(super) description: Option<Str<'a>>,
    pub(super) kind: ToolKind<'a>,
    pub(super) strict: Option<bool>,
    pub(super) cache: Cache<'a>,
}

#[derive(Debug)]
pub(super) enum ToolKind<'a> {
    /// Called with an object of this schema.
    Function(Option<&'a RawValue>),
    /// Called with free text.
    Custom,
    /// The provider's own search of the web.
    WebSearch,
}

/// The schema of a tool that takes one text.
pub(super) const CUSTOM_SCHEMA: &str = r#"{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as it is."}},"required":["input"],"additionalProperties":false}"#;

/// The schema of a tool that takes nothing.
pub(super) const EMPTY_SCHEMA: &str = r#"{"type":"object","properties":{}}"#;

impl<'a> Tool<'a> {
    /// None where the provider runs the tool.
    pub(super) fn schema(&self) -> Option<&'a str> {
        match self.kind {
            ToolKind::Function(schema) => {
                let schema = schema.map(RawValue::get).unwrap_or(EMPTY_SCHEMA);
                // Some tools without parameters have `{}`, which is no object to the providers.
                Some(if schema == "{}" { EMPTY_SCHEMA } else { schema })
            }
            ToolKind::Custom => Some(CUSTOM_SCHEMA),
            ToolKind::WebSearch => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    Auto,
    None,
    Any,
    /// By its name on the wire.
    Tool(String),
}

#[derive(Debug, Default)]
pub(super) struct Thinking {
    /// Asked for, refused, or not spoken of.
    pub(super) wanted: Option<bool>,
    pub(super) effort: Option<Effort>,
    pub(super) budget: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effort {
    Minimal,
    Low,
    Medium,
    High,
    ExtraHigh,
    Max,
}

impl Effort {
    pub(super) fn read(word: &str) -> Option<Self> {
        Some(match word {
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::ExtraHigh,
            "max" => Self::Max,
            _ => return None,
        })
    }
}

impl Thinking {
    /// From the word of OpenAI's formats.
    pub(super) fn from_word(word: Option<&str>) -> Self {
        match word {
            None => Self::default(),
            Some("none") => Self {
                wanted: Some(false),
                ..Self::default()
            },
            Some(word) => Self {
                wanted: Some(true),
                effort: Effort::read(word),
                budget: None,
            },
        }
    }

    /// How hard to think, where thinking is asked for and something is said about it.
    pub(super) fn effort(&self) -> Option<Effort> {
        if self.wanted != Some(true) {
            return None;
        }
        self.effort.or_else(|| {
            Some(match self.budget? {
                0..4096 => Effort::Low,
                4096..16_384 => Effort::Medium,
                _ => Effort::High,
            })
        })
    }
}

#[derive(Debug)]
pub(super) enum AnswerShape<'a> {
    /// Any JSON object.
    Object,
    Schema {
        name: Option<Str<'a>>,
        description: Option<Str<'a>>,
        schema: &'a RawValue,
        strict: Option<bool>,
    },
}

/// Content that is a string, a list of blocks, one block, or nothing.
#[derive(Debug)]
pub(super) enum Content<'a, B> {
    Text(Text<'a>),
    Blocks(Vec<B>),
}

impl<B> Default for Content<'_, B> {
    fn default() -> Self {
        Self::Blocks(Vec::new())
    }
}

impl<'de: 'a, 'a, B: Deserialize<'de>> Deserialize<'de> for Content<'a, B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor<B>(PhantomData<B>);
        impl<'de, B: Deserialize<'de>> Visitor<'de> for ContentVisitor<B> {
            type Value = Content<'de, B>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or a list of blocks")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Content::Text(Text(Cow::Borrowed(text))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(Text(Cow::Owned(text.to_owned()))))
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Content::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut blocks = Vec::with_capacity(list.size_hint().unwrap_or(0));
                while let Some(block) = list.next_element()? {
                    blocks.push(block);
                }
                Ok(Content::Blocks(blocks))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let block = B::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Content::Blocks(vec![block]))
            }
        }
        deserializer.deserialize_any(ContentVisitor(PhantomData))
    }
}
