//! The three formats that agents and providers speak.

/// A format of requests, answers and streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Anthropic Messages, `/v1/messages`.
    Messages,
    /// OpenAI Chat Completions, `/v1/chat/completions`.
    Chat,
    /// OpenAI Responses, `/v1/responses`.
    Responses,
}

impl Format {
    /// As people write it in rules and as logs show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Chat => "chat",
            Self::Responses => "responses",
        }
    }

    /// What may be sent between two events of a stream, so that a caller knows it is not forgotten.
    pub const fn keep_alive(self) -> &'static [u8] {
        match self {
            Self::Messages => b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
            Self::Chat | Self::Responses => b": keep-alive\n\n",
        }
    }

    /// The path of the endpoint below the provider's address.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Messages => "/v1/messages",
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
        }
    }
}
