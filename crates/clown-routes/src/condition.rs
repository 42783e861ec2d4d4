use crate::facts::Facts;
use crate::glob;
use std::cmp::Ordering;

/// When a rule takes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// Every one of them holds.
    All(Vec<Condition>),
    /// One of them holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// What is known of the request is so.
    Is(Test),
}

/// One thing that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    Flag(Flag),
    Number(Number, Comparison, u64),
    Text(Text, Match),
    /// From and to, in minutes of the day; over midnight where the second is smaller.
    Time(u16, u16),
    /// From and to, Monday is 0; over Sunday where the second is smaller.
    Day(u8, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    Thinking,
    Tools,
    Images,
    WebSearch,
    Stream,
    Subagent,
    Background,
    OverBudget,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    Tokens,
    ToolCount,
    MaxTokens,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    Model,
    /// In lower case.
    Header(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// It is there at all.
    Given,
    Equal(String),
    NotEqual(String),
    Glob(String),
}

/// The hour where the person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Minutes of the day.
    pub minute: u16,
    /// Monday is 0.
    pub day: u8,
}

impl Moment {
    /// The moment in a time that has its offset.
    pub fn of(time: time::OffsetDateTime) -> Self {
        Self {
            minute: u16::from(time.hour()) * 60 + u16::from(time.minute()),
            day: time.weekday().number_days_from_monday(),
        }
    }
}

impl Flag {
    pub(crate) const ALL: [(&'static str, Self); 8] = [
        ("thinking", Self::Thinking),
        ("tools", Self::Tools),
        ("images", Self::Images),
        ("web_search", Self::WebSearch),
        ("stream", Self::Stream),
        ("subagent", Self::Subagent),
        ("background", Self::Background),
        ("over_budget", Self::OverBudget),
    ];

    fn of(self, facts: &Facts) -> bool {
        match self {
            Self::Thinking => facts.thinking,
            Self::Tools => facts.tools > 0,
            Self::Images => facts.images > 0,
            Self::WebSearch => facts.web_search,
            Self::Stream => facts.stream,
            Self::Subagent => facts.subagent,
            Self::Background => facts.background,
            Self::OverBudget => facts.over_budget,
        }
    }
}

impl Number {
    pub(crate) const ALL: [(&'static str, Self); 3] = [
        ("tokens", Self::Tokens),
        ("tool_count", Self::ToolCount),
        ("max_tokens", Self::MaxTokens),
    ];

    fn of(self, facts: &Facts) -> u64 {
        match self {
            Self::Tokens => facts.tokens,
            Self::ToolCount => facts.tools,
            Self::MaxTokens => facts.max_tokens,
        }
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

fn name_of<T: PartialEq>(all: &[(&'static str, T)], value: &T) -> &'static str {
    all.iter()
        .find(|(_, other)| other == value)
        .map_or("", |(name, _)| name)
}

impl Condition {
    /// Whether it holds for a request at a moment.
    pub fn holds(&self, facts: &Facts, now: Moment) -> bool {
        match self {
            Self::Always => true,
            Self::All(all) => all.iter().all(|inner| inner.holds(facts, now)),
            Self::Any(any) => any.iter().any(|inner| inner.holds(facts, now)),
            Self::Not(inner) => !inner.holds(facts, now),
            Self::Is(test) => test.holds(facts, now),
        }
    }

    /// What of the request it looked at, for people: `tokens is 70213`.
    pub fn seen(&self, facts: &Facts, now: Moment) -> Vec<String> {
        let mut seen = Vec::new();
        self.see(facts, now, &mut seen);
        seen.dedup();
        seen
    }

    fn see(&self, facts: &Facts, now: Moment, seen: &mut Vec<String>) {
        match self {
            Self::Always => {}
            Self::All(inner) | Self::Any(inner) => {
                inner.iter().for_each(|inner| inner.see(facts, now, seen));
            }
            Self::Not(inner) => inner.see(facts, now, seen),
            Self::Is(test) => {
                let text = test.seen(facts, now);
                if !seen.contains(&text) {
                    seen.push(text);
                }
            }
        }
    }
}

impl Test {
    fn holds(&self, facts: &Facts, now: Moment) -> bool {
        match self {
            Self::Flag(flag) => flag.of(facts),
            Self::Number(number, comparison, limit) => {
                comparison.holds(number.of(facts).cmp(limit))
            }
            Self::Text(text, wanted) => {
                let given = text.of(facts);
                match wanted {
                    Match::Given => given.is_some(),
                    Match::Equal(wanted) => given == Some(wanted),
                    Match::NotEqual(wanted) => given != Some(wanted),
                    Match::Glob(pattern) => given.is_some_and(|text| glob::matches(pattern, text)),
                }
            }
            Self::Time(from, to) => is_within(now.minute, *from, *to, false),
            Self::Day(from, to) => is_within(now.day, *from, *to, true),
        }
    }

    fn seen(&self, facts: &Facts, now: Moment) -> String {
        const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        match self {
            Self::Flag(flag) => {
                let name = name_of(&Flag::ALL, flag);
                format!("{name} is {}", if flag.of(facts) { "yes" } else { "no" })
            }
            Self::Number(number, ..) => {
                format!("{} is {}", name_of(&Number::ALL, number), number.of(facts))
            }
            Self::Text(Text::Model, _) => format!("model is {}", facts.model),
            // What a header says may be a secret.
            Self::Text(Text::Header(name), _) => {
                let given = facts.headers.contains_key(name);
                format!(
                    "header {name} is {}",
                    if given { "given" } else { "not given" }
                )
            }
            Self::Time(..) => format!("time is {:02}:{:02}", now.minute / 60, now.minute % 60),
            Self::Day(..) => {
                format!("day is {}", DAYS.get(usize::from(now.day)).unwrap_or(&"?"))
            }
        }
    }
}

impl Text {
    fn of<'a>(&self, facts: &'a Facts) -> Option<&'a String> {
        match self {
            Self::Model => Some(&facts.model),
            Self::Header(name) => facts.headers.get(name),
        }
    }
}

/// Around the clock where `to` is before `from`. The end is part of a range of days, and not of a
/// range of times.
fn is_within<T: PartialOrd>(value: T, from: T, to: T, with_end: bool) -> bool {
    let is_before_end = value < to || (with_end && value == to);
    match from <= to {
        true => value >= from && is_before_end,
        false => value >= from || is_before_end,
    }
}
