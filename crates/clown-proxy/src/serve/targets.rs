//! Who may answer a request: by the rules, in the order in which they are asked.

use super::Active;
use super::route::Route;
use crate::config::{Format, Upstream};
use clown_routes::{Facts, Moment, Target};
use http::HeaderMap;
use time::OffsetDateTime;

/// What the rules say of a request.
pub(super) struct Choice<'a> {
    pub rule: Option<String>,
    pub candidates: Vec<Candidate<'a>>,
}

/// One that may answer.
pub(super) struct Candidate<'a> {
    pub provider: &'a str,
    pub upstream: &'a Upstream,
    /// The model to ask for; None for the one that the agent asks for.
    pub model: Option<String>,
}

/// Why nobody is asked.
pub(super) enum NoChoice {
    /// The body cannot be read.
    Unreadable(String),
    /// A rule refuses it.
    Refused(String),
    /// A rule names a provider that this instance was told nothing of.
    Unknown(String),
}

impl Candidate<'_> {
    /// As people write it.
    pub fn name(&self, asked: Option<&str>) -> String {
        let model = self.model.as_deref().or(asked).unwrap_or("*");
        format!("{}/{model}", self.provider)
    }
}

impl<'a> Choice<'a> {
    pub fn of(
        active: &'a Active,
        format: Format,
        route: &Route,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, NoChoice> {
        let configuration = &active.configuration;
        let own = || Candidate {
            provider: &configuration.provider,
            upstream: &configuration.upstream,
            model: None,
        };
        let has_rules = !active.rules.is_empty() && route.asks_model;
        if !has_rules || format.translatable().is_none() {
            return Ok(Self {
                rule: None,
                candidates: vec![own()],
            });
        }
        let texts = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let mut facts = Facts::of(body, texts, configuration.small_model.as_deref())
            .map_err(|error| NoChoice::Unreadable(error.to_string()))?;
        facts.over_budget = configuration.over_budget;
        let decision = active.rules.decide(&facts, now(active));
        let rule = decision.rule.map(ToOwned::to_owned);
        let mut candidates = Vec::with_capacity(decision.targets.len());
        for target in decision.targets {
            match target {
                // What stands behind it is never reached.
                Target::Refuse(_) if candidates.is_empty() => {
                    return Err(NoChoice::Refused(rule.unwrap_or_default()));
                }
                Target::Refuse(_) => break,
                Target::Model { provider, model } => {
                    candidates.push(candidate(active, &provider, model)?);
                }
            }
        }
        if candidates.is_empty() {
            candidates.push(own());
        }
        Ok(Self { rule, candidates })
    }
}

fn candidate<'a>(
    active: &'a Active,
    id: &str,
    model: Option<String>,
) -> Result<Candidate<'a>, NoChoice> {
    let configuration = &active.configuration;
    if id == configuration.provider {
        return Ok(Candidate {
            provider: &configuration.provider,
            upstream: &configuration.upstream,
            model,
        });
    }
    match configuration.others.get_key_value(id) {
        Some((provider, upstream)) => Ok(Candidate {
            provider,
            upstream,
            model,
        }),
        None => Err(NoChoice::Unknown(id.to_owned())),
    }
}

/// The hour where the person is.
fn now(active: &Active) -> Moment {
    let now = OffsetDateTime::now_utc();
    let zone = active.zone.as_ref();
    let kind = zone.and_then(|zone| zone.find_local_time_type(now.unix_timestamp()).ok());
    let offset = kind.and_then(|kind| time::UtcOffset::from_whole_seconds(kind.ut_offset()).ok());
    Moment::of(offset.map_or(now, |offset| now.to_offset(offset)))
}
