//! Requests: read in the caller's format, mended, written in the upstream's.

mod marks;
mod mend;
mod model;
mod models;
mod openai;
mod read_chat;
mod read_messages;
mod read_responses;
mod responses_tools;
mod write_chat;
mod write_messages;
mod write_responses;

use std::sync::Arc;

use super::Reply;
use super::context::{Context, Names};
use crate::failure::{Failure, FailureKind};
use crate::format::Format;
use crate::json::Json;
use model::Role;

/// What differs between upstreams of one format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// How thinking of earlier turns goes back to an upstream of Chat.
    pub replay: Replay,
    /// Whether the upstream is told how hard to think; none: by the model's name. Models that do not
    /// think may refuse to be told.
    pub effort: Option<bool>,
    /// Whether an upstream of Chat gets members that are OpenAI's own (`prompt_cache_key`,
    /// `verbosity`). Some others refuse what they do not know.
    pub own_members: bool,
    /// Whether an upstream of Chat gets `max_completion_tokens` instead of `max_tokens`; none: by the
    /// model's name.
    pub completion_tokens: Option<bool>,
    /// Whether an upstream of Messages thinks adaptively or by a budget; none: by the model's name.
    pub adaptive_thinking: Option<bool>,
    /// Whether the provider searches the web itself when a request wants it; none: by the model's
    /// name.
    pub web_search: Option<bool>,
    /// Whether an upstream of Messages is told what to cache where the request does not say.
    pub cache_breakpoints: bool,
    /// Whether an upstream of Chat understands `cache_control`.
    pub cache_control: bool,
    /// The limit for an upstream of Messages, which must have one, where the request has none.
    pub max_tokens: u64,
}

/// How thinking of earlier turns goes back to an upstream of Chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It does not; for upstreams that refuse members they do not know.
    None,
    /// As `reasoning_content`.
    ReasoningContent,
    /// As `reasoning_details`, with signatures.
    ReasoningDetails,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            replay: Replay::ReasoningContent,
            effort: None,
            own_members: false,
            completion_tokens: None,
            adaptive_thinking: None,
            web_search: None,
            cache_breakpoints: true,
            cache_control: false,
            max_tokens: 32_000,
        }
    }
}

/// A request that cannot be translated.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The body is not what the format says.
    #[error("the body is not a request of the {} format", format.name())]
    Unreadable {
        /// The format that the caller speaks.
        format: Format,
        /// Where it goes wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The request leans on what only its own provider has.
    #[error("the member `{member}` cannot be translated: {reason}")]
    Untranslatable {
        /// The member.
        member: &'static str,
        /// Why not, and what to do.
        reason: &'static str,
    },
}

impl RequestError {
    /// As it is told to the caller.
    pub fn failure(&self) -> Failure {
        let message = match self {
            Self::Unreadable { source, .. } => format!("{self}: {source}"),
            Self::Untranslatable { .. } => self.to_string(),
        };
        Failure::new(FailureKind::InvalidRequest, message)
    }
}

/// A request in the upstream's format, and the way back.
#[derive(Debug)]
pub struct Translated {
    /// The body for the upstream, JSON.
    pub body: Vec<u8>,
    /// Whether the caller asked for a stream.
    pub stream: bool,
    /// Translates what comes back.
    pub reply: Reply,
}

/// Translates a request from `caller`'s format to `upstream`'s. `model` is asked for instead of the
/// one in the request, where a rule says so.
pub fn request(
    caller: Format,
    upstream: Format,
    body: &[u8],
    model: Option<&str>,
    dialect: &Dialect,
) -> Result<Translated, RequestError> {
    let mut names = Names::default();
    let mut request = match caller {
        Format::Messages => read_messages::read(body, &mut names)?,
        Format::Chat => read_chat::read(body, &mut names)?,
        Format::Responses => read_responses::read(body, &mut names)?,
    };
    if let Some(model) = model {
        request.model = model.into();
    }
    if upstream == Format::Messages {
        // An instruction in the middle of a conversation is the user's there.
        for turn in &mut request.turns {
            if turn.role == Role::System {
                turn.role = Role::User;
            }
        }
    }
    let searches = dialect.web_search.unwrap_or_else(|| match upstream {
        Format::Messages => models::searches_as_claude(&request.model),
        Format::Responses => models::searches_at_openai(&request.model),
        Format::Chat => false,
    });
    if !searches || upstream == Format::Chat {
        let search = |tool: &model::Tool<'_>| matches!(tool.kind, model::ToolKind::WebSearch);
        request.tools.retain(|tool| !search(tool));
    }
    mend::mend(&mut request);
    let mut out = Vec::with_capacity(body.len() + 1024);
    let json = &mut Json(&mut out);
    match upstream {
        Format::Messages => write_messages::write(&request, dialect, json),
        Format::Chat => write_chat::write(&request, dialect, json),
        Format::Responses => write_responses::write(&request, dialect, json),
    }
    let context = Context {
        names,
        model: request.model.to_string(),
        minted: super::minted_for(caller),
        include_usage: request.include_usage,
    };
    Ok(Translated {
        body: out,
        stream: request.stream,
        reply: Reply {
            caller,
            upstream,
            context: Arc::new(context),
        },
    })
}

#[cfg(test)]
mod tests;
