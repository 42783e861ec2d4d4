use serde::{Deserialize, Serialize};

/// The media type of an error answer.
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";

/// An error answer, after RFC 9457.
///
/// ```
/// let problem: clown_api::Problem = serde_json::from_str(
///     r#"{"type":"about:blank","title":"Not Found","status":404,
///         "detail":"There is no profile \"work\".","code":"profile_not_found"}"#,
/// )?;
/// assert_eq!(problem.code, "profile_not_found");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `about:blank`: the meaning is that of the status; `code` says more.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reason phrase of the status.
    pub title: String,
    /// The HTTP status, again.
    pub status: u16,
    /// What happened, to which thing, and what to do.
    pub detail: String,
    /// A stable `snake_case` word for programs.
    pub code: String,
}

impl Problem {
    /// A problem of type `about:blank`.
    pub fn new(
        status: u16,
        title: impl Into<String>,
        code: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: title.into(),
            status,
            detail: detail.into(),
            code: code.into(),
        }
    }
}
