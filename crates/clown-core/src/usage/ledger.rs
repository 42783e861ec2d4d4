//! Answers, each once, and their sums. Nothing else knows the SQL of these tables.

use super::batch::{Batch, Found, Origin};
use super::files::{self, Progress};
use super::prices::{Prices, Tier};
use super::record::{Counts, Key};
use crate::Alias;
use crate::store::{StoreError, Tx};
use clown_events::{Cost, Tokens, Usd};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};
use std::collections::{BTreeMap, HashMap};

/// What sums are put together from: a quarter of an hour, since 1970.
pub(super) const QUARTER_MILLIS: i64 = 15 * 60 * 1000;

/// What a batch has changed.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// Answers that were not known.
    pub(super) new: u64,
    pub(super) cells: Vec<Cell>,
}

/// A sum, or what is added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) quarter: i64,
    pub(super) series: i64,
    pub(super) amount: Amount,
}

/// An amount that may be taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) records: i64,
    pub(super) kinds: [i64; Counts::KINDS],
}

impl Amount {
    fn of(counts: Counts, sign: i64) -> Self {
        Self {
            records: sign,
            kinds: counts.kinds().map(|kind| sign * to_sql(kind)),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.records += other.records;
        for (kind, other) in self.kinds.iter_mut().zip(other.kinds) {
            *kind = kind.saturating_add(other);
        }
    }

    fn is_zero(self) -> bool {
        self == Self::default()
    }
}

fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Counts what is in `batch`, and keeps how far files are read, in one transaction.
pub(super) fn apply(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    progress: &[Progress],
    prices: &Prices,
) -> Result<Applied, StoreError> {
    // In the order of the index, so that one of its pages is met once.
    batch.found.sort_unstable_by_key(|found| key_of(found.key));
    let mut ledger = Ledger::open(tx, batch, prices)?;
    for index in 0..batch.found.len() {
        ledger.take(&batch.found[index])?;
    }
    for sum in &batch.sums {
        ledger.take_sum(sum)?;
    }
    let applied = ledger.finish()?;
    files::keep(tx, progress)?;
    Ok(applied)
}

fn key_of(key: Key) -> (i64, i64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = key.0;
    (
        i64::from_be_bytes([a, b, c, d, e, f, g, h]),
        i64::from(u32::from_be_bytes([i, j, k, l])),
    )
}

struct Ledger<'t> {
    tx: &'t Connection,
    batch: &'t Batch,
    prices: &'t Prices,
    select: CachedStatement<'t>,
    insert: CachedStatement<'t>,
    update: CachedStatement<'t>,
    /// The rows of the batch's origins, where they were needed.
    sessions: Vec<Option<i64>>,
    series: HashMap<(i64, u32, Tier), i64>,
    known: HashMap<i64, Series>,
    cells: HashMap<(i64, i64), Amount>,
    untold: BTreeMap<Alias, Untold>,
    new: u64,
}

/// What is known of a series that a record is in.
#[derive(Debug, Clone)]
struct Series {
    session: i64,
    model: String,
    tier: Tier,
    origin: Origin,
}

#[derive(Debug, Clone, Copy)]
struct Stored {
    id: i64,
    at: i64,
    series: i64,
    counts: Counts,
}

/// What is to be told. Less than nothing where too much was told: an event takes nothing back, so
/// that what comes next is told without that.
#[derive(Debug, Default)]
struct Untold {
    /// Input, output, written to caches and read from them.
    tokens: [i64; 4],
    nanos: i64,
    unpriced: bool,
}

/// Counts, and by what they are priced.
type Priced<'a> = (&'a str, Tier, Counts);

/// The four kinds that are told.
fn told_kinds(counts: Counts) -> [i64; 4] {
    let writes = counts.cache_writes();
    [counts.input, counts.output, writes, counts.cache_read].map(to_sql)
}

impl<'t> Ledger<'t> {
    fn open(tx: &'t Connection, batch: &'t Batch, prices: &'t Prices) -> Result<Self, StoreError> {
        Ok(Self {
            select: tx.prepare_cached(
                "SELECT id, tag, at, series, input, output, cache_write, cache_write_hour, cache_read
                 FROM usage_records WHERE key = ?1",
            )?,
            insert: tx.prepare_cached(
                "INSERT INTO usage_records (key, tag, at, series, input, output, cache_write,
                                            cache_write_hour, cache_read)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?,
            update: tx.prepare_cached(
                "UPDATE usage_records SET at = ?2, series = ?3, input = ?4, output = ?5,
                     cache_write = ?6, cache_write_hour = ?7, cache_read = ?8 WHERE id = ?1",
            )?,
            tx,
            batch,
            prices,
            sessions: vec![None; batch.origins.len()],
            series: HashMap::new(),
            known: HashMap::new(),
            cells: HashMap::new(),
            untold: BTreeMap::new(),
            new: 0,
        })
    }

    fn take(&mut self, found: &Found) -> Result<(), StoreError> {
        let (key, tag) = key_of(found.key);
        let stored = self.stored(key, tag)?;
        let origin = &self.batch.origins[found.origin as usize];
        let Some(stored) = stored else {
            let tier = Tier::new(found.counts, found.fast == Some(true));
            let session = self.session_of(found.origin)?;
            let series = self.series_of(session, found.model, tier)?;
            let [input, output, write, hour, read] = found.counts.kinds().map(to_sql);
            self.insert.execute(params![
                key, tag, found.at, series, input, output, write, hour, read
            ])?;
            self.count(found.at, series, Amount::of(found.counts, 1));
            let model = self.batch.models.get(found.model);
            self.tell(origin, None, (model, tier, found.counts));
            self.new += 1;
            return Ok(());
        };
        let known = self.known(stored.series)?;
        let counts = stored.counts.larger(found.counts);
        let of_others = known.origin.scope.profile.is_some()
            && origin.scope.profile.is_some()
            && known.origin.scope.profile != origin.scope.profile;
        let moves = !of_others && origin.is_before(found.at, &known.origin, stored.at);
        let grows = found.counts.is_larger_than(stored.counts);
        // A proxy knows nothing of it, and is first or last as it happens.
        let fast = match found.fast {
            Some(fast) if grows || found.counts == stored.counts => fast,
            _ => known.tier.is_fast(),
        };
        if counts == stored.counts && !moves && fast == known.tier.is_fast() {
            return Ok(());
        }
        let tier = Tier::new(counts, fast);
        let at = if moves { found.at } else { stored.at };
        let session = if moves {
            self.session_of(found.origin)?
        } else {
            known.session
        };
        let series = if grows {
            self.series_of(session, found.model, tier)?
        } else {
            self.series_named(session, &known.model, tier)?
        };
        let [input, output, write, hour, read] = counts.kinds().map(to_sql);
        self.update.execute(params![
            stored.id, at, series, input, output, write, hour, read
        ])?;
        self.count(stored.at, stored.series, Amount::of(stored.counts, -1));
        self.count(at, series, Amount::of(counts, 1));
        let model = if grows {
            self.batch.models.get(found.model)
        } else {
            &known.model
        };
        // Of what belonged to no profile, nobody was told.
        let told = known.origin.scope.profile.is_some();
        let before = told.then_some((&*known.model, known.tier, stored.counts));
        let belongs = if moves { origin } else { &known.origin };
        self.tell(belongs, before, (model, tier, counts));
        Ok(())
    }

    /// Counts what a sum has grown by.
    fn take_sum(&mut self, sum: &Found) -> Result<(), StoreError> {
        let before = self
            .tx
            .prepare_cached(
                "SELECT input, output, cache_write, cache_write_hour, cache_read
                 FROM usage_sums WHERE key = ?1",
            )?
            .query_row([sum.key.0], |row| counts_at(row, 0))
            .optional()?
            .unwrap_or_default();
        let grown = sum.counts.beyond(before);
        if grown.is_zero() {
            return Ok(());
        }
        let now = before.plus(grown);
        let [input, output, write, hour, read] = now.kinds().map(to_sql);
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO usage_sums VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![sum.key.0, input, output, write, hour, read])?;
        if !sum.is_counted {
            return Ok(());
        }
        let step = now.bytes();
        self.take(&Found {
            key: Key::of(&[b"step", &sum.key.0, &step]),
            counts: grown,
            ..*sum
        })
    }

    fn stored(&mut self, key: i64, tag: i64) -> Result<Option<Stored>, StoreError> {
        let mut rows = self.select.query([key])?;
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(1)? == tag {
                return Ok(Some(Stored {
                    id: row.get(0)?,
                    at: row.get(2)?,
                    series: row.get(3)?,
                    counts: counts_at(row, 4)?,
                }));
            }
        }
        Ok(None)
    }

    fn count(&mut self, at: i64, series: i64, amount: Amount) {
        let quarter = at.div_euclid(QUARTER_MILLIS);
        self.cells.entry((quarter, series)).or_default().add(amount);
    }

    /// Adds what is to be told to the profile's clients: what `now` has that `before` had not.
    fn tell(&mut self, origin: &Origin, before: Option<Priced<'_>>, now: Priced<'_>) {
        let Some(profile) = &origin.scope.profile else {
            return;
        };
        if !self.untold.contains_key(profile) {
            self.untold.insert(profile.clone(), Untold::default());
        }
        let Some(untold) = self.untold.get_mut(profile) else {
            return;
        };
        let counted = before.map_or_else(Counts::default, |(_, _, counts)| counts);
        let kinds = told_kinds(now.2).into_iter().zip(told_kinds(counted));
        for (sum, (now, before)) in untold.tokens.iter_mut().zip(kinds) {
            *sum = sum.saturating_add(now - before);
        }
        let price = |(model, tier, counts)| self.prices.cost(model, tier, counts);
        let cost = price(now);
        untold.unpriced |= cost.is_none();
        let nanos = |cost: Option<Usd>| cost.map_or(0, Usd::nanos);
        let more = nanos(cost).saturating_sub(nanos(before.and_then(price)));
        untold.nanos = untold.nanos.saturating_add(more);
    }

    fn session_of(&mut self, origin: u32) -> Result<i64, StoreError> {
        if let Some(id) = self.sessions[origin as usize] {
            return Ok(id);
        }
        let Origin {
            scope,
            project,
            session,
        } = &self.batch.origins[origin as usize];
        let profile = scope.profile.as_ref().map_or("", Alias::as_str);
        let id = id_of(
            self.tx,
            "SELECT id FROM usage_sessions
             WHERE session = ?1 AND agent = ?2 AND profile = ?3 AND project = ?4",
            "INSERT INTO usage_sessions (session, agent, profile, project) VALUES (?1, ?2, ?3, ?4)",
            params![session, scope.agent, profile, project],
        )?;
        self.sessions[origin as usize] = Some(id);
        Ok(id)
    }

    fn series_of(&mut self, session: i64, model: u32, tier: Tier) -> Result<i64, StoreError> {
        if let Some(id) = self.series.get(&(session, model, tier)) {
            return Ok(*id);
        }
        let id = self.series_named(session, self.batch.models.get(model), tier)?;
        self.series.insert((session, model, tier), id);
        Ok(id)
    }

    fn series_named(&self, session: i64, model: &str, tier: Tier) -> Result<i64, StoreError> {
        id_of(
            self.tx,
            "SELECT id FROM usage_series WHERE session = ?1 AND model = ?2 AND tier = ?3",
            "INSERT INTO usage_series (session, model, tier) VALUES (?1, ?2, ?3)",
            params![session, model, tier.to_sql()],
        )
    }

    fn known(&mut self, series: i64) -> Result<Series, StoreError> {
        if let Some(known) = self.known.get(&series) {
            return Ok(known.clone());
        }
        let known = self
            .tx
            .prepare_cached(
                "SELECT session.id, model, tier, session.session, agent, profile, project
                 FROM usage_series AS series
                 JOIN usage_sessions AS session ON session.id = series.session
                 WHERE series.id = ?1",
            )?
            .query_row([series], |row| {
                Ok(Series {
                    session: row.get(0)?,
                    model: row.get(1)?,
                    tier: Tier::from_sql(row.get(2)?),
                    origin: origin_at(row, 3)?,
                })
            })?;
        self.known.insert(series, known.clone());
        Ok(known)
    }

    fn finish(self) -> Result<Applied, StoreError> {
        let mut cells: Vec<Cell> = self
            .cells
            .into_iter()
            .filter(|(_, amount)| !amount.is_zero())
            .map(|((quarter, series), amount)| Cell {
                quarter,
                series,
                amount,
            })
            .collect();
        cells.sort_unstable_by_key(|cell| (cell.quarter, cell.series));
        // A sum that is too large becomes a float, and the largest integer when it is cast.
        let mut add = self.tx.prepare_cached(
            "INSERT INTO usage_cells VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (quarter, series) DO UPDATE SET
                 records = CAST(records + excluded.records AS INTEGER),
                 input = CAST(input + excluded.input AS INTEGER),
                 output = CAST(output + excluded.output AS INTEGER),
                 cache_write = CAST(cache_write + excluded.cache_write AS INTEGER),
                 cache_write_hour = CAST(cache_write_hour + excluded.cache_write_hour AS INTEGER),
                 cache_read = CAST(cache_read + excluded.cache_read AS INTEGER)",
        )?;
        for cell in &cells {
            let [input, output, write, hour, read] = cell.amount.kinds;
            add.execute(params![
                cell.quarter,
                cell.series,
                cell.amount.records,
                input,
                output,
                write,
                hour,
                read
            ])?;
        }
        let mut add = self.tx.prepare_cached(
            "INSERT INTO usage_untold VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (profile) DO UPDATE SET
                 input = CAST(input + excluded.input AS INTEGER),
                 output = CAST(output + excluded.output AS INTEGER),
                 cache_writes = CAST(cache_writes + excluded.cache_writes AS INTEGER),
                 cache_read = CAST(cache_read + excluded.cache_read AS INTEGER),
                 cost_nanos = CAST(cost_nanos + excluded.cost_nanos AS INTEGER),
                 unpriced = max(unpriced, excluded.unpriced)",
        )?;
        for (profile, untold) in self.untold {
            let [input, output, writes, read] = untold.tokens;
            let profile = profile.as_str();
            add.execute(params![
                profile,
                input,
                output,
                writes,
                read,
                untold.nanos,
                untold.unpriced
            ])?;
        }
        Ok(Applied {
            new: self.new,
            cells,
        })
    }
}

/// The row that `select` finds; else the one that `insert` makes.
fn id_of(
    connection: &Connection,
    select: &str,
    insert: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<i64, StoreError> {
    let known = connection
        .prepare_cached(select)?
        .query_row(values, |row| row.get(0))
        .optional()?;
    match known {
        Some(id) => Ok(id),
        None => Ok(connection.prepare_cached(insert)?.insert(values)?),
    }
}

fn counts_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Counts> {
    let mut kinds = [0; Counts::KINDS];
    for (index, kind) in kinds.iter_mut().enumerate() {
        *kind = row.get::<_, i64>(first + index)?.unsigned_abs();
    }
    Ok(Counts::of_kinds(kinds))
}

/// Session, agent, profile and project of a row.
pub(super) fn origin_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Origin> {
    let profile: String = row.get(first + 2)?;
    Ok(Origin {
        session: row.get(first)?,
        scope: super::batch::Scope {
            agent: row.get(first + 1)?,
            profile: profile.parse().ok(),
        },
        project: row.get(first + 3)?,
    })
}

/// What was counted and is not told yet, by profile. It counts as told from now on.
pub(super) fn take_untold(tx: &Connection) -> Result<Vec<(Alias, Tokens, Cost)>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT profile, input, output, cache_writes, cache_read, cost_nanos, unpriced
         FROM usage_untold",
    )?;
    let rows = statement.query_map([], |row| {
        let more = |index| Ok::<_, rusqlite::Error>(row.get::<_, i64>(index)?.max(0));
        let count = |index| Ok::<_, rusqlite::Error>(more(index)?.unsigned_abs());
        let profile: String = row.get(0)?;
        let tokens = Tokens::new(count(1)?, count(2)?)
            .with_cache_creation_input_tokens(count(3)?)
            .with_cache_read_input_tokens(count(4)?);
        let cost = Cost::new(Usd::from_nanos(more(5)?)).with_unpriced(row.get(6)?);
        Ok((profile, tokens, cost))
    })?;
    let mut untold = Vec::new();
    for row in rows {
        let (profile, tokens, cost) = row?;
        if let Ok(profile) = profile.parse() {
            untold.push((profile, tokens, cost));
        }
    }
    if !untold.is_empty() {
        // What was told too much stays, until it is made up for.
        tx.prepare_cached(
            "DELETE FROM usage_untold
             WHERE min(input, output, cache_writes, cache_read, cost_nanos) >= 0",
        )?
        .execute([])?;
        tx.prepare_cached(
            "UPDATE usage_untold SET input = min(input, 0), output = min(output, 0),
                 cache_writes = min(cache_writes, 0), cache_read = min(cache_read, 0),
                 cost_nanos = min(cost_nanos, 0), unpriced = 0",
        )?
        .execute([])?;
    }
    Ok(untold)
}

/// Every sum, by time.
pub(super) fn cells(connection: &Connection) -> Result<Vec<Cell>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT quarter, series, records, input, output, cache_write, cache_write_hour, cache_read
         FROM usage_cells WHERE records > 0 ORDER BY quarter, series",
    )?;
    let rows = statement.query_map([], |row| {
        let mut kinds = [0; Counts::KINDS];
        for (index, kind) in kinds.iter_mut().enumerate() {
            *kind = row.get(3 + index)?;
        }
        Ok(Cell {
            quarter: row.get(0)?,
            series: row.get(1)?,
            amount: Amount {
                records: row.get(2)?,
                kinds,
            },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Series from `first` on: number, where it belongs, model and tier.
pub(super) fn series_from(
    connection: &Connection,
    first: i64,
) -> Result<Vec<(i64, Origin, String, Tier)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT series.id, model, tier, session.session, agent, profile, project
         FROM usage_series AS series JOIN usage_sessions AS session ON session.id = series.session
         WHERE series.id >= ?1 ORDER BY series.id",
    )?;
    let rows = statement.query_map([first], |row| {
        Ok((
            row.get(0)?,
            origin_at(row, 3)?,
            row.get(1)?,
            Tier::from_sql(row.get(2)?),
        ))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
