//! Answers to questions.

use super::cube::{Cube, Series};
use super::ledger::{Amount, Cell, QUARTER_MILLIS};
use super::prices::Prices;
use super::record::Counts;
use super::zone::{Day, Zone};
use crate::Alias;
use clown_events::{Cost, Usd};
use std::collections::{BTreeMap, HashMap};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Whose days.
    pub zone: Zone,
    /// From this moment on, in milliseconds since 1970.
    pub from: Option<i64>,
    /// Up to this moment.
    pub to: Option<i64>,
    /// Of one profile.
    pub profile: Option<Alias>,
    /// Of one agent.
    pub agent: Option<String>,
    /// Of one model.
    pub model: Option<String>,
    /// What the rows are.
    pub group_by: GroupBy,
}

/// What the rows of a report are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupBy {
    /// Days of the calendar.
    #[default]
    Day,
    /// Weeks, by their Monday.
    Week,
    /// Months of the calendar.
    Month,
    /// Blocks of five hours, from the hour of the first answer on.
    Block,
    /// Models.
    Model,
    /// Profiles.
    Profile,
    /// Agents.
    Agent,
    /// Sessions of agents.
    Session,
    /// Folders that were worked in.
    Project,
}

impl GroupBy {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 9] = [
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
        ("block", Self::Block),
        ("model", Self::Model),
        ("profile", Self::Profile),
        ("agent", Self::Agent),
        ("session", Self::Session),
        ("project", Self::Project),
    ];
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// One for each group: times in their order, others by cost, the dearest first.
    pub rows: Vec<Row>,
    /// All together.
    pub total: Used,
}

/// What a group has used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The group: a date, a name. Empty where something belongs to no profile, or no folder is known.
    pub key: String,
    /// What it has used.
    pub used: Used,
    /// The same by model, the dearest first.
    pub models: Vec<(String, Used)>,
    /// Where a session belongs.
    pub session: Option<SessionOf>,
    /// The quarters of an hour in which it began and in which it last had an answer, by their
    /// beginnings, in milliseconds.
    pub first: i64,
    /// See `first`.
    pub last: i64,
}

/// Where a session belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOf {
    /// The agent.
    pub agent: String,
    /// The profile.
    pub profile: Option<Alias>,
    /// The folder; empty where it is not known.
    pub project: String,
}

/// An amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Answers of models.
    pub answers: u64,
    /// Their tokens.
    pub counts: Counts,
    /// What they cost.
    pub cost: Cost,
}

impl Used {
    pub(super) fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.counts = self.counts.plus(other.counts);
        self.cost.total_cost = self.cost.total_cost.saturating_add(other.cost.total_cost);
        self.cost.unpriced |= other.cost.unpriced;
    }
}

/// How long a block is.
pub(super) const BLOCK_MILLIS: i64 = 5 * 60 * 60 * 1000;
const HOUR_MILLIS: i64 = 60 * 60 * 1000;

/// A group while it is summed up.
#[derive(Debug, Default)]
struct Group {
    /// By [`Cube::priced`]. There are few in a group, and mostly the same one comes again.
    amounts: Vec<(u32, Amount)>,
    last: usize,
    times: Option<(i64, i64)>,
    session: Option<SessionOf>,
}

impl Group {
    fn add(&mut self, priced: u32, amount: Amount) {
        if self
            .amounts
            .get(self.last)
            .is_none_or(|last| last.0 != priced)
        {
            let place = self.amounts.iter().position(|known| known.0 == priced);
            self.last = place.unwrap_or_else(|| {
                self.amounts.push((priced, Amount::default()));
                self.amounts.len() - 1
            });
        }
        self.amounts[self.last].1.add(amount);
    }
}

pub(super) fn answer(cube: &Cube, prices: &Prices, question: &Question) -> Report {
    answer_of(cube, prices, question, &wanted(cube, question))
}

/// What one session has used, whenever that was.
pub(super) fn of_session(
    cube: &Cube,
    prices: &Prices,
    question: &Question,
    session: &str,
) -> Report {
    let mut wanted = wanted(cube, question);
    wanted.keep(cube, |series| &*series.origin.session == session);
    answer_of(cube, prices, question, &wanted)
}

fn answer_of(cube: &Cube, prices: &Prices, question: &Question, wanted: &Wanted) -> Report {
    let first = |millis: i64| millis.div_euclid(QUARTER_MILLIS);
    let from = question.from.map_or(i64::MIN, first);
    let to = question
        .to
        .map_or(i64::MAX, |to| -(-to).div_euclid(QUARTER_MILLIS));
    let start = cube.cells.partition_point(|cell| cell.quarter < from);
    let end = cube
        .cells
        .partition_point(|cell| cell.quarter < to)
        .max(start);
    let mut groups: Groups = Groups::default();
    if question.group_by == GroupBy::Block {
        // Blocks are what they are, from wherever they are looked at.
        groups.block = last_block_of(&cube.cells[..start], wanted);
    }
    for cell in &cube.cells[start..end] {
        if cell.amount.records == 0 || !wanted.has(cell.series) {
            continue;
        }
        let group = groups.of(cell.quarter * QUARTER_MILLIS, cell.series, cube, question);
        group.add(cube.priced_of(cell.series), cell.amount);
        let at = cell.quarter * QUARTER_MILLIS;
        let (first, last) = group.times.unwrap_or((at, at));
        group.times = Some((first.min(at), last.max(at)));
    }
    report(groups, cube, prices, question.group_by)
}

/// When the last block began.
pub(super) fn last_block(cube: &Cube, question: &Question) -> Option<i64> {
    last_block_of(&cube.cells, &wanted(cube, question))
}

fn last_block_of(cells: &[Cell], wanted: &Wanted) -> Option<i64> {
    let mut last: Option<i64> = None;
    for cell in cells {
        let at = cell.quarter * QUARTER_MILLIS;
        if last.is_some_and(|start| at < start + BLOCK_MILLIS)
            || cell.amount.records == 0
            || !wanted.has(cell.series)
        {
            continue;
        }
        last = Some(at.div_euclid(HOUR_MILLIS) * HOUR_MILLIS);
    }
    last
}

/// Which series are asked for.
enum Wanted {
    All,
    Some(Vec<bool>),
}

impl Wanted {
    /// Only those of which this is true, too.
    fn keep(&mut self, cube: &Cube, is_wanted: impl Fn(&Series) -> bool) {
        let before = std::mem::replace(self, Self::All);
        let all = (1..).zip(cube.all_series());
        let kept = all.map(|(number, series)| before.has(number) && is_wanted(series));
        *self = Self::Some(kept.collect());
    }

    fn has(&self, series: i64) -> bool {
        match self {
            Self::All => true,
            Self::Some(wanted) => wanted[series as usize - 1],
        }
    }
}

fn wanted(cube: &Cube, question: &Question) -> Wanted {
    let Question {
        profile: None,
        agent: None,
        model: None,
        ..
    } = question
    else {
        let all = (1..).zip(cube.all_series());
        let wanted = all.map(|(number, series)| is_wanted(cube, number, series, question));
        return Wanted::Some(wanted.collect());
    };
    Wanted::All
}

fn is_wanted(cube: &Cube, number: i64, series: &Series, question: &Question) -> bool {
    let scope = &series.origin.scope;
    let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|w| w == value);
    is(&question.agent, &scope.agent)
        && is(
            &question.model,
            &cube.priced[cube.priced_of(number) as usize].0,
        )
        && question
            .profile
            .as_ref()
            .is_none_or(|profile| scope.profile.as_ref() == Some(profile))
}

/// The groups, and the last one that was met: mostly the next cell is of it, too.
#[derive(Debug, Default)]
struct Groups {
    by_key: HashMap<String, usize>,
    /// By number of the series.
    by_series: Vec<Option<u32>>,
    all: Vec<(String, Group)>,
    /// The span of time for which the last group is right, and the group.
    span: Option<(i64, i64, usize)>,
    /// When the block began that was under way when the question's span begins.
    block: Option<i64>,
}

impl Groups {
    fn of(&mut self, at: i64, series: i64, cube: &Cube, question: &Question) -> &mut Group {
        let index = match question.group_by {
            GroupBy::Day | GroupBy::Week | GroupBy::Month | GroupBy::Block => {
                self.by_time(at, question)
            }
            _ => {
                if self.by_series.is_empty() {
                    self.by_series = vec![None; cube.all_series().len()];
                }
                let place = series as usize - 1;
                match self.by_series[place] {
                    Some(index) => index as usize,
                    None => {
                        let index = self.by_name(series, cube, question.group_by);
                        self.by_series[place] = Some(index as u32);
                        index
                    }
                }
            }
        };
        &mut self.all[index].1
    }

    fn by_time(&mut self, at: i64, question: &Question) -> usize {
        if let Some((from, to, index)) = self.span
            && (from..to).contains(&at)
        {
            return index;
        }
        let zone = &question.zone;
        let (from, to, key) = if question.group_by == GroupBy::Block {
            // A block is over after its time; the next one begins with the next answer.
            let under_way = self.block.filter(|from| at < from + BLOCK_MILLIS);
            let from = under_way.unwrap_or_else(|| at.div_euclid(HOUR_MILLIS) * HOUR_MILLIS);
            (from, from + BLOCK_MILLIS, show_moment(from))
        } else {
            let day = zone.day_at(at.div_euclid(1000));
            let (first, next, key) = match question.group_by {
                GroupBy::Week => (day.week(), Day(day.week().0 + 7), day.week().show()),
                GroupBy::Month => {
                    let month = day.month();
                    (month, Day(month.0 + 31).month(), day.show_month())
                }
                _ => (day, Day(day.0 + 1), day.show()),
            };
            let millis = |day| zone.start_of(day) * 1000;
            (millis(first), millis(next), key)
        };
        let index = self.index(key);
        self.span = Some((from, to, index));
        index
    }

    fn by_name(&mut self, series: i64, cube: &Cube, group_by: GroupBy) -> usize {
        let origin = &cube.all_series()[series as usize - 1].origin;
        let profile = || origin.scope.profile.as_ref().map_or("", Alias::as_str);
        match group_by {
            GroupBy::Model => self.index(cube.priced[cube.priced_of(series) as usize].0.clone()),
            GroupBy::Profile => self.index(profile().to_owned()),
            GroupBy::Agent => self.index(origin.scope.agent.clone()),
            GroupBy::Project => self.index(origin.project.clone()),
            _ => {
                // Sessions of two agents may have one name.
                let key = [&*origin.scope.agent, profile(), &origin.session].join("\0");
                let index = self.index(key);
                self.all[index].1.session = Some(SessionOf {
                    agent: origin.scope.agent.clone(),
                    profile: origin.scope.profile.clone(),
                    project: origin.project.clone(),
                });
                index
            }
        }
    }

    fn index(&mut self, key: String) -> usize {
        match self.by_key.get(&key) {
            Some(index) => *index,
            None => {
                self.all.push((key.clone(), Group::default()));
                let index = self.all.len() - 1;
                self.by_key.insert(key, index);
                index
            }
        }
    }
}

fn report(groups: Groups, cube: &Cube, prices: &Prices, group_by: GroupBy) -> Report {
    let mut report = Report::default();
    for (key, group) in groups.all {
        let mut models: BTreeMap<&str, Used> = BTreeMap::new();
        let mut used = Used::default();
        for (priced, amount) in group.amounts {
            let (model, tier) = &cube.priced[priced as usize];
            let counts = Counts::of_kinds(amount.kinds.map(|kind| kind.max(0).unsigned_abs()));
            let cost = match prices.cost(model, *tier, counts) {
                Some(cost) => Cost::new(cost),
                None => Cost::new(Usd::from_nanos(0)).with_unpriced(true),
            };
            let part = Used {
                answers: amount.records.max(0).unsigned_abs(),
                counts,
                cost,
            };
            models.entry(model).or_default().add(part);
            used.add(part);
        }
        let mut models: Vec<_> = models
            .into_iter()
            .map(|(model, used)| (model.to_owned(), used))
            .collect();
        models.sort_by(|a, b| by_cost(&a.1, &b.1));
        let (first, last) = group.times.unwrap_or_default();
        report.total.add(used);
        report.rows.push(Row {
            key: key.rsplit('\0').next().unwrap_or_default().to_owned(),
            used,
            models,
            session: group.session,
            first,
            last,
        });
    }
    match group_by {
        GroupBy::Day | GroupBy::Week | GroupBy::Month | GroupBy::Block => {
            report.rows.sort_by(|a, b| a.key.cmp(&b.key));
        }
        GroupBy::Session => report.rows.sort_by_key(|row| (row.last, row.key.clone())),
        _ => report
            .rows
            .sort_by(|a, b| by_cost(&a.used, &b.used).then_with(|| a.key.cmp(&b.key))),
    }
    report
}

/// The dearest first; of those without a price, those with the most tokens.
fn by_cost(a: &Used, b: &Used) -> std::cmp::Ordering {
    let rank = |used: &Used| (used.cost.total_cost.nanos(), used.counts.total());
    rank(b).cmp(&rank(a))
}

fn show_moment(millis: i64) -> String {
    clown_events::Timestamp::from_unix_millis(millis)
        .map(|moment| moment.to_string())
        .unwrap_or_default()
}
