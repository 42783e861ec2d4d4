use clown_events::{Cost, Tokens};
use serde::{Deserialize, Serialize};

/// What was told of usage by `UsageUpdated`, summed up: a part of the [`State`](crate::State).
///
/// ```
/// let usage: clown_api::UsageTotals = serde_json::from_str(
///     r#"{"profiles":[{"profile":"work","tokens":{"input_tokens":5000,"output_tokens":2000},
///         "cost":{"total_cost":0.045}}]}"#,
/// )?;
/// assert_eq!(usage.profiles[0].tokens.output_tokens, 2000);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageTotals {
    /// The sums of each profile that has used anything, by alias.
    pub profiles: Vec<ProfileUsage>,
}

/// What one profile has used. The sum of all its `UsageUpdated` events.
///
/// ```
/// # fn show(usage: &clown_api::ProfileUsage) {
/// println!("{}: {} tokens written", usage.profile, usage.tokens.output_tokens);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileUsage {
    /// The profile's alias.
    pub profile: String,
    /// Its tokens.
    pub tokens: Tokens,
    /// What they cost, as priced when they were counted.
    pub cost: Cost,
}
