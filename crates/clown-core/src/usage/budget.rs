//! What a person wants to spend at most.

use super::report::{GroupBy, Question, Used};
use super::zone::{Day, Zone};
use super::{Usage, UsageError};
use crate::Alias;
use crate::store::StoreError;
use clown_events::{Timestamp, Usd};
use rusqlite::Connection;

/// For how long a budget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// A day of the calendar.
    Day,
    /// A week, from Monday on.
    Week,
    /// A month of the calendar.
    Month,
}

impl Period {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 3] = [
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let named = Self::ALL.iter().find(|(known, _)| *known == name);
        named.map(|(_, period)| *period)
    }

    /// The first day of the one that `day` is in.
    pub(super) fn begins(self, day: Day) -> Day {
        match self {
            Self::Day => day,
            Self::Week => day.week(),
            Self::Month => day.month(),
        }
    }
}

/// A budget, and what of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Whose.
    pub profile: Alias,
    /// For how long.
    pub period: Period,
    /// How much.
    pub limit: Usd,
    /// What is used in the period that is under way.
    pub used: Used,
}

impl Usage {
    /// Sets a profile's budget for a period. None takes it away; false where there was none.
    pub fn set_budget(
        &self,
        profile: &Alias,
        period: Period,
        limit: Option<Usd>,
    ) -> Result<bool, UsageError> {
        let profile = profile.clone();
        let changed = self.store.commit(move |tx| {
            let place = (profile.as_str(), period.name());
            let changed = match limit {
                Some(limit) => tx
                    .prepare_cached("INSERT OR REPLACE INTO usage_budgets VALUES (?1, ?2, ?3)")?
                    .execute((place.0, place.1, limit.nanos()))?,
                None => tx
                    .prepare_cached("DELETE FROM usage_budgets WHERE profile = ?1 AND period = ?2")?
                    .execute(place)?,
            };
            Ok::<_, StoreError>(changed)
        })?;
        Ok(changed > 0)
    }

    /// All budgets, and what of each is used, in the days of `zone`.
    pub fn budgets(&self, zone: &Zone) -> Result<Vec<Budget>, UsageError> {
        let today = zone.day_at(Timestamp::now().unix_millis().div_euclid(1000));
        let mut budgets = Vec::new();
        for (profile, period, limit) in self.store.read(budgets_in)? {
            let report = self.report(&Question {
                zone: zone.clone(),
                from: Some(zone.start_of(period.begins(today)) * 1000),
                to: None,
                profile: Some(profile.clone()),
                agent: None,
                model: None,
                group_by: GroupBy::Profile,
            })?;
            budgets.push(Budget {
                profile,
                period,
                limit,
                used: report.total,
            });
        }
        Ok(budgets)
    }
}

fn budgets_in(connection: &Connection) -> Result<Vec<(Alias, Period, Usd)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT profile, period, nanos FROM usage_budgets")?;
    let rows = statement.query_map([], |row| {
        let (profile, period): (String, String) = (row.get(0)?, row.get(1)?);
        Ok((profile, period, Usd::from_nanos(row.get(2)?)))
    })?;
    let mut budgets = Vec::new();
    for row in rows {
        let (profile, period, limit) = row?;
        if let (Ok(profile), Some(period)) = (profile.parse(), Period::named(&period)) {
            budgets.push((profile, period, limit));
        }
    }
    budgets.sort();
    Ok(budgets)
}
