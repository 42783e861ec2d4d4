//! What happens in an answer, apart from any format.

use std::borrow::Cow;

use crate::failure::Failure;
use crate::usage::Usage;

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It had said what it wanted to say.
    EndTurn,
    /// It waits for the results of tools.
    ToolUse,
    /// It reached the limit of the request.
    MaxTokens,
    /// It wrote one of the request's stop sequences; which, where it is told.
    Sequence(Option<String>),
    /// It, or a filter behind it, would not go on.
    Refusal,
    /// A long turn was paused on the provider's side and can be gone on with.
    PauseTurn,
    /// The context is full.
    ContextFull,
}

/// One thing that happens in an answer, whole or streamed.
///
/// Readers may interleave tool calls, each under a slot of its own; what reaches a writer is in order,
/// one block after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening<'a> {
    /// The answer has begun. Members that the upstream left out are empty.
    Start {
        id: Cow<'a, str>,
        model: Cow<'a, str>,
    },
    Text(Cow<'a, str>),
    Thinking(Cow<'a, str>),
    /// What proves the thinking before it; it ends that block.
    Signature(Signature),
    /// Thinking that is not shown, only carried.
    Redacted(Signature),
    ToolStart {
        slot: usize,
        id: String,
        name: String,
    },
    /// A piece of the arguments' JSON.
    ToolArguments {
        slot: usize,
        json: Cow<'a, str>,
    },
    ToolEnd {
        slot: usize,
    },
    /// Everything counted so far; it replaces what was told before.
    Usage(Usage),
    Stop(Stop),
    /// The upstream says that the answer is whole.
    End,
    Failed(Failure),
}

/// Takes what happens, one after the other.
pub(crate) trait Sink {
    fn take(&mut self, happening: Happening<'_>);
}

/// Proof of thinking, in the words of the format that gave it. It goes back to a provider of that
/// format only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signature {
    /// The `signature` of a thinking block, or the `data` of a redacted one.
    Messages(String),
    /// A reasoning item: its id and `encrypted_content`.
    Responses { id: String, encrypted: String },
    /// Google's `thought_signature` of the call that follows, which it wants back with that call.
    Google(String),
}

const CARRIED_RESPONSES: &str = "clown.responses:";
const CARRIED_MESSAGES: &str = "clown.messages:";
const CARRIED_REDACTED: &str = "clown.redacted:";
const CARRIED_GOOGLE: &str = "clown.google:";

impl Signature {
    /// As the `signature` of a thinking block for a caller of Messages.
    pub(crate) fn for_messages(&self) -> Cow<'_, str> {
        match self {
            Self::Messages(signature) => Cow::Borrowed(signature),
            Self::Responses { id, encrypted } => {
                Cow::Owned(format!("{CARRIED_RESPONSES}{id}:{encrypted}"))
            }
            Self::Google(signature) => Cow::Owned(format!("{CARRIED_GOOGLE}{signature}")),
        }
    }

    /// Reads back what [`Self::for_messages`] wrote, or the provider's own.
    pub(crate) fn from_messages(signature: &str) -> Option<Self> {
        if signature.is_empty() {
            return None;
        }
        if let Some(carried) = signature.strip_prefix(CARRIED_RESPONSES) {
            let (id, encrypted) = carried.split_once(':')?;
            return Some(Self::Responses {
                id: id.to_owned(),
                encrypted: encrypted.to_owned(),
            });
        }
        if let Some(carried) = signature.strip_prefix(CARRIED_GOOGLE) {
            return Some(Self::Google(carried.to_owned()));
        }
        Some(Self::Messages(signature.to_owned()))
    }

    /// As the `encrypted_content` of a reasoning item for a caller of Responses.
    pub(crate) fn for_responses(&self, redacted: bool) -> Cow<'_, str> {
        match self {
            Self::Messages(signature) if redacted => {
                Cow::Owned(format!("{CARRIED_REDACTED}{signature}"))
            }
            Self::Messages(signature) => Cow::Owned(format!("{CARRIED_MESSAGES}{signature}")),
            Self::Responses { encrypted, .. } => Cow::Borrowed(encrypted),
            Self::Google(signature) => Cow::Owned(format!("{CARRIED_GOOGLE}{signature}")),
        }
    }

    /// Reads back what [`Self::for_responses`] wrote, or the provider's own. The flag says that the
    /// thinking is redacted.
    pub(crate) fn from_responses(id: &str, encrypted: &str) -> (Self, bool) {
        if let Some(signature) = encrypted.strip_prefix(CARRIED_MESSAGES) {
            return (Self::Messages(signature.to_owned()), false);
        }
        if let Some(data) = encrypted.strip_prefix(CARRIED_REDACTED) {
            return (Self::Messages(data.to_owned()), true);
        }
        if let Some(signature) = encrypted.strip_prefix(CARRIED_GOOGLE) {
            return (Self::Google(signature.to_owned()), false);
        }
        let own = Self::Responses {
            id: id.to_owned(),
            encrypted: encrypted.to_owned(),
        };
        (own, false)
    }
}
