use clown_events::{Cost, Timestamp, Tokens, Usd};
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

/// An amount of usage.
///
/// ```
/// let amount: clown_api::UsageAmount = serde_json::from_str(
///     r#"{"answers":3,"tokens":{"input_tokens":10,"output_tokens":2},"cost":{"total_cost":0.5}}"#,
/// )?;
/// assert_eq!(amount.answers, 3);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageAmount {
    /// Answers of models.
    pub answers: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// What they cost, by the prices of now. What has no known price is not in it, and `unpriced`
    /// says so.
    pub cost: Cost,
}

/// What was used: `GET /api/v1/usage`.
///
/// ```
/// # fn show(report: &clown_api::UsageReport) {
/// for row in &report.rows {
///     println!("{}: {} tokens written", row.key, row.used.tokens.output_tokens);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReport {
    /// What the rows are: `day`, `week`, `month`, `block`, `model`, `profile`, `agent`, `session` or
    /// `project`.
    pub group_by: String,
    /// Whose days they are.
    pub timezone: String,
    /// The groups: times and sessions in their order, others by cost, the dearest first.
    pub rows: Vec<UsageRow>,
    /// All together.
    pub total: UsageAmount,
}

/// A group of a [`UsageReport`].
///
/// ```
/// # fn show(row: &clown_api::UsageRow) {
/// println!("{} by {} models", row.key, row.models.len());
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRow {
    /// The group: a day (`2026-03-01`; of a week, its Monday), a month (`2026-03`), the time at which
    /// a block began, or a name. Empty for what belongs to no profile, or to no known project.
    pub key: String,
    /// What it has used.
    pub used: UsageAmount,
    /// The same by model, the dearest first.
    pub models: Vec<ModelUsage>,
    /// Where a session belongs; missing in other groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<UsageSession>,
    /// The beginning of the quarter of an hour in which its first answer was.
    pub first_at: Timestamp,
    /// The same of its last one.
    pub last_at: Timestamp,
}

/// What a model has used, in a [`UsageRow`].
///
/// ```
/// # fn show(usage: &clown_api::ModelUsage) {
/// println!("{}: {} answers", usage.model, usage.used.answers);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsage {
    /// The model, as the agent names it.
    pub model: String,
    /// What it has used.
    pub used: UsageAmount,
}

/// Where a session belongs, in a [`UsageRow`].
///
/// ```
/// let session: clown_api::UsageSession = serde_json::from_str(r#"{"agent":"claude","profile":"work"}"#)?;
/// assert_eq!(session.project, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageSession {
    /// The agent's id.
    pub agent: String,
    /// The profile; missing where it belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The folder; missing where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// What is used at this moment: `GET /api/v1/usage/now`.
///
/// ```
/// # fn show(now: &clown_api::UsageNow) {
/// println!("{} today", now.today.cost.total_cost);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageNow {
    /// Whose midnight.
    pub timezone: String,
    /// Since midnight.
    pub today: UsageAmount,
    /// In the block of five hours that is under way; missing where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<UsageBlock>,
    /// In the session that was asked for, as far as it is counted; missing where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<UsageAmount>,
    /// The budgets, of the profile that was asked for or of all.
    pub budgets: Vec<UsageBudget>,
}

/// A block of five hours, from the hour of its first answer on. The plans of some providers count
/// by such.
///
/// ```
/// # fn show(block: &clown_api::UsageBlock) {
/// println!("{} tokens a minute until {}", block.tokens_per_minute, block.until);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageBlock {
    /// When it began.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// What is used in it.
    pub used: UsageAmount,
    /// Tokens of all kinds, a minute since it began.
    pub tokens_per_minute: u64,
    /// Cost, an hour since it began.
    pub cost_per_hour: Usd,
    /// All tokens at its end, if it goes on so.
    pub projected_tokens: u64,
    /// The cost at its end, if it goes on so.
    pub projected_cost: Usd,
}

/// A budget: in `GET /api/v1/usage/budgets` and [`UsageNow`].
///
/// ```
/// let budget: clown_api::UsageBudget = serde_json::from_str(
///     r#"{"profile":"work","period":"day","limit":20,"used":{"answers":0,
///         "tokens":{"input_tokens":0,"output_tokens":0},"cost":{"total_cost":0}}}"#,
/// )?;
/// assert_eq!(budget.period, "day");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageBudget {
    /// Whose.
    pub profile: String,
    /// For how long: `day`, `week` or `month`.
    pub period: String,
    /// How much, in US dollars.
    pub limit: Usd,
    /// What is used in the period that is under way.
    pub used: UsageAmount,
}

/// `PUT /api/v1/usage/budgets/{profile}/{period}`.
///
/// ```
/// let budget: clown_api::SetBudget = serde_json::from_str(r#"{"limit":20}"#)?;
/// assert_eq!(budget.limit.nanos(), 20_000_000_000);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetBudget {
    /// How much, in US dollars.
    pub limit: Usd,
}

/// `POST /api/v1/usage/import`.
///
/// ```
/// let import: clown_api::ImportUsage = serde_json::from_str(r#"{"source":"claude"}"#)?;
/// assert_eq!(import.path, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportUsage {
    /// The agent's id.
    pub source: String,
    /// Its folder; else those where it writes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The profile that it counts for; else it counts for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// The answer of `POST /api/v1/usage/import`.
///
/// ```
/// # fn show(imported: &clown_api::ImportedUsage) {
/// println!("{} new answers in {} files", imported.records_imported, imported.files);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedUsage {
    /// The agent's id.
    pub source: String,
    /// Answers that were not known.
    pub records_imported: u64,
    /// Files that had something new.
    pub files: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Where they are.
    pub paths: Vec<String>,
}

/// An import that is under way, in `GET /api/v1/usage/import`.
///
/// ```
/// let import: clown_api::UsageImporting =
///     serde_json::from_str(r#"{"source":"claude","bytes_done":5,"bytes_total":10}"#)?;
/// assert_eq!(import.bytes_done * 2, import.bytes_total);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageImporting {
    /// The agent's id.
    pub source: String,
    /// Bytes of files that are done with.
    pub bytes_done: u64,
    /// Bytes of all files.
    pub bytes_total: u64,
}
