use crate::discovery::DiscoveryError;
use crate::token::TokenError;
use clown_api::Problem;
use std::io;
use std::time::Duration;

/// Why a request to the daemon gave no answer that can be used.
///
/// ```
/// use clown_client::{Client, ClientError, Discovery};
///
/// # async fn example(client: Client) {
/// match client.profile("work").await {
///     Ok(profile) => println!("{}", profile.agent_id),
///     Err(ClientError::Problem(problem)) if problem.code == "profile_not_found" => {}
///     Err(error) if error.is_not_reachable() => println!("start clownd first"),
///     Err(error) => println!("{error}"),
/// }
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No daemon was found, so none was asked.
    #[error(transparent)]
    NotFound(#[from] DiscoveryError),
    /// Nothing answers where the daemon should be.
    #[error("no daemon answers at {address}")]
    NotReachable {
        /// Where it should be.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A program answers there that cannot be shown to belong to the own user. Nothing was sent.
    #[error(
        "the program at {address} {owner}; nothing was sent to it. \
         Is the port taken by another program?"
    )]
    NotOwn {
        /// Where it is.
        address: String,
        /// To whom it belongs, as a predicate.
        owner: String,
    },
    /// Keys are sent, and programs to start are accepted, only on this machine. Nothing was sent.
    #[error(
        "{address} is not on this machine; keys and runs go only to a daemon on the same machine"
    )]
    NotLocal {
        /// Where it is.
        address: String,
    },
    /// The daemon refused, and says why.
    #[error("{}", .0.detail)]
    Problem(Problem),
    /// The daemon asks for a token, and the one that is there cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// An answer that Clown's daemon does not give.
    #[error("the program at {address} answered {path} with {what}; is it Clown's daemon?")]
    Unexpected {
        /// Where it is.
        address: String,
        /// What was asked for.
        path: String,
        /// What came.
        what: String,
    },
    /// The answer does not have the shape that this version knows.
    #[error(
        "cannot read the daemon's answer to {path}; do clown and clownd have the same version?"
    )]
    Decode {
        /// What was asked for.
        path: String,
        /// Where it differs.
        source: serde_json::Error,
    },
    /// No answer within the time limit.
    #[error("the daemon at {address} did not answer {path} within {} s", limit.as_secs_f32())]
    Timeout {
        /// Where it is.
        address: String,
        /// What was asked for.
        path: String,
        /// The limit.
        limit: Duration,
    },
    /// The connection broke while the answer was on its way.
    #[error("the connection to the daemon at {address} broke")]
    Broken {
        /// Where it is.
        address: String,
        /// How.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ClientError {
    /// Whether no daemon runs or answers, as opposed to one that refuses.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use clown_client::{Client, Discovery};
    ///
    /// let client = Client::new(Discovery::in_state_dir("/nowhere"));
    /// assert!(client.health().await.unwrap_err().is_not_reachable());
    /// # }
    /// ```
    pub fn is_not_reachable(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::NotReachable { .. })
    }

    /// The daemon's stable word for what is wrong, where the daemon refused.
    ///
    /// ```
    /// # use clown_client::ClientError;
    /// let problem = clown_api::Problem::new(404, "Not Found", "profile_not_found", "No profile.");
    /// assert_eq!(ClientError::Problem(problem).code(), Some("profile_not_found"));
    /// ```
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }
}
