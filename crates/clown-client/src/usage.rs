//! What was used.

use crate::client::Client;
use crate::connect::Trust;
use crate::error::ClientError;
use crate::query::{Target, segment};
use crate::request::encode;
use clown_api::{
    ImportUsage, ImportedUsage, ModelPrice, SetBudget, UsageBudget, UsageImporting, UsageNow,
    UsageReport, routes,
};
use clown_events::Usd;
use http::Method;

/// What is asked of the daemon's count; all of it, by day, where nothing is set.
///
/// ```
/// use clown_client::UsageQuery;
///
/// let query = UsageQuery {
///     period: Some("month".to_owned()),
///     group_by: Some("model".to_owned()),
///     ..UsageQuery::default()
/// };
/// # assert!(query.since.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageQuery {
    /// `today`, `yesterday`, `week`, `month`, a number of days such as `7d`, or `all`.
    pub period: Option<String>,
    /// From this day or moment on.
    pub since: Option<String>,
    /// Up to and with this day, or up to this moment.
    pub until: Option<String>,
    /// Whose days; the daemon's settings say where none is given.
    pub timezone: Option<String>,
    /// Of this profile.
    pub profile: Option<String>,
    /// Of this agent.
    pub agent: Option<String>,
    /// Of this model.
    pub model: Option<String>,
    /// What the rows are.
    pub group_by: Option<String>,
}

impl UsageQuery {
    fn target(&self, path: &str) -> Target {
        let members = [
            ("period", &self.period),
            ("since", &self.since),
            ("until", &self.until),
            ("timezone", &self.timezone),
            ("profile", &self.profile),
            ("agent", &self.agent),
            ("model", &self.model),
            ("group_by", &self.group_by),
        ];
        with_given(Target::new(path), &members)
    }
}

fn with_given(target: Target, members: &[(&str, &Option<String>)]) -> Target {
    let given = members
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)));
    given.fold(target, |target, (name, value)| target.with(name, value))
}

impl Client {
    /// `GET /api/v1/usage`: what was used.
    ///
    /// # Errors
    /// [`ClientError::Problem`] for what cannot be asked; else as any [`ClientError`].
    pub async fn usage(&self, query: &UsageQuery) -> Result<UsageReport, ClientError> {
        self.get(query.target(routes::USAGE).into_string()).await
    }

    /// `GET /api/v1/usage/export`: the same as `csv`, `json` or `jsonl`.
    ///
    /// # Errors
    /// [`ClientError::Problem`] for what cannot be asked; else as any [`ClientError`].
    pub async fn usage_export(
        &self,
        query: &UsageQuery,
        format: &str,
    ) -> Result<Vec<u8>, ClientError> {
        let target = query.target(routes::USAGE_EXPORT).with("format", format);
        let body = self.send(Method::GET, target.into_string(), None, Trust::Ordinary);
        Ok(body.await?.to_vec())
    }

    /// `GET /api/v1/usage/prices`: what the query's model costs, whatever a log calls it; without one,
    /// what all models cost that the rest of the query finds, the dearest first.
    ///
    /// # Errors
    /// [`ClientError::Problem`] for what cannot be asked; else as any [`ClientError`].
    pub async fn prices(&self, query: &UsageQuery) -> Result<Vec<ModelPrice>, ClientError> {
        let query = UsageQuery {
            group_by: None,
            ..query.clone()
        };
        let target = query.target(routes::USAGE_PRICES);
        self.list(&target.into_string()).await
    }

    /// `GET /api/v1/usage/now`: what is used at this moment, by one profile or all; and in one session
    /// of an agent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn usage_now(
        &self,
        profile: Option<String>,
        session: Option<String>,
        timezone: Option<String>,
    ) -> Result<UsageNow, ClientError> {
        let members = [
            ("profile", &profile),
            ("session", &session),
            ("timezone", &timezone),
        ];
        let target = with_given(Target::new(routes::USAGE_NOW), &members);
        self.get(target.into_string()).await
    }

    /// `POST /api/v1/usage/import`: counts what an agent has used without a profile, and answers when
    /// all of it is counted. That can take minutes, so give such a client
    /// [another time limit](Client::with_time_limit).
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `usage_source_not_found` and `usage_folder_not_found`; else as any
    /// [`ClientError`].
    pub async fn import_usage(&self, request: &ImportUsage) -> Result<ImportedUsage, ClientError> {
        self.post(routes::USAGE_IMPORT.to_owned(), request, Trust::Ordinary)
            .await
    }

    /// `GET /api/v1/usage/import`: the imports that are under way.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn usage_imports(&self) -> Result<Vec<UsageImporting>, ClientError> {
        self.list(routes::USAGE_IMPORT).await
    }

    /// `GET /api/v1/usage/budgets`: all budgets, and what of each is used.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn budgets(&self, timezone: Option<String>) -> Result<Vec<UsageBudget>, ClientError> {
        let members = [("timezone", &timezone)];
        let target = with_given(Target::new(routes::USAGE_BUDGETS), &members);
        self.list(&target.into_string()).await
    }

    /// `PUT /api/v1/usage/budgets/{profile}/{period}`: what a profile is to spend at most in a `day`, a
    /// `week` or a `month`.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `profile_not_found`; else as any [`ClientError`].
    pub async fn set_budget(
        &self,
        profile: &str,
        period: &str,
        limit: Usd,
    ) -> Result<(), ClientError> {
        let target = routes::usage_budget(&segment(profile), &segment(period));
        let body = Some(encode(&SetBudget { limit }));
        self.send(Method::PUT, target, body, Trust::Ordinary)
            .await
            .map(drop)
    }

    /// `DELETE /api/v1/usage/budgets/{profile}/{period}`.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `budget_not_found`; else as any [`ClientError`].
    pub async fn delete_budget(&self, profile: &str, period: &str) -> Result<(), ClientError> {
        let target = routes::usage_budget(&segment(profile), &segment(period));
        self.send(Method::DELETE, target, None, Trust::Ordinary)
            .await
            .map(drop)
    }
}
