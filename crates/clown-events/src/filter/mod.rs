pub(crate) mod error;
mod pattern;

pub use error::FilterError;
pub use pattern::EventPattern;

use crate::{Event, EventKind};

/// How many event names, and how many profiles, a filter holds at most.
pub const MAX_NAMES: usize = 128;

/// Which events a client wants.
///
/// An event passes if a pattern takes it in and, where profiles are given, it concerns one of these. Names that this
/// version does not know are accepted and listed by [`Filter::unknown`], so that newer clients can talk to older daemons;
/// [`Filter::parse_strict`] refuses them, for addresses and command lines that a person types.
///
/// ```
/// use clown_events::{EventKind, Filter};
///
/// let mut filter = Filter::all();
/// filter.subscribe(&["ProfileCreated", "Usage*"], &["work"])?;
/// assert!(filter.matches(EventKind::UsageUpdated, Some("work")));
/// assert!(!filter.matches(EventKind::UsageUpdated, Some("play")));
/// assert!(!filter.matches(EventKind::UsageImported, None));
///
/// filter.unsubscribe(&["Usage*"])?;
/// assert_eq!(filter.events(), ["ProfileCreated"]);
/// # Ok::<(), clown_events::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    included: Vec<EventPattern>,
    /// What was taken away from a pattern that is still in force.
    excluded: Vec<EventPattern>,
    profiles: Vec<String>,
    /// The known kinds that the patterns let pass, a bit each, so that an event is decided without comparing names.
    kinds: u32,
}

impl Filter {
    /// Every event, of every type; what a client has that said nothing.
    #[must_use]
    pub fn all() -> Self {
        Self::of(vec![EventPattern::all()], Vec::new(), Vec::new())
    }

    /// No event at all.
    #[must_use]
    pub fn none() -> Self {
        Self::of(Vec::new(), Vec::new(), Vec::new())
    }

    /// The filter of these patterns and profiles; no profiles means any, and none.
    ///
    /// # Errors
    /// When a pattern or a profile's alias is not well formed, or there are more than [`MAX_NAMES`].
    pub fn new<E: AsRef<str>, P: AsRef<str>>(
        events: &[E],
        profiles: &[P],
    ) -> Result<Self, FilterError> {
        Ok(Self::of(
            patterns_of(events)?,
            Vec::new(),
            profiles_of(profiles)?,
        ))
    }

    /// The filter of comma-separated lists, as an address (`?events=ProfileCreated,Proxy*&profiles=work`) or a command
    /// line has them. An absent list of events means all, an empty one none.
    ///
    /// # Errors
    /// As [`Filter::new`], and [`FilterError::UnknownName`] for a name or prefix of no known event.
    ///
    /// ```
    /// use clown_events::Filter;
    ///
    /// let filter = Filter::parse_strict(Some("ProfileCreated,Proxy*"), None)?;
    /// assert_eq!(filter.events(), ["ProfileCreated", "Proxy*"]);
    ///
    /// let error = Filter::parse_strict(Some("ProfilCreated"), None).unwrap_err();
    /// assert_eq!(error.to_string(), "unknown event type \"ProfilCreated\"; did you mean ProfileCreated?");
    /// # Ok::<(), clown_events::FilterError>(())
    /// ```
    pub fn parse_strict(events: Option<&str>, profiles: Option<&str>) -> Result<Self, FilterError> {
        let included = match events {
            None => vec![EventPattern::all()],
            Some(list) => patterns_of(&listed(list))?,
        };
        if let Some(unknown) = included
            .iter()
            .find(|pattern| pattern.kinds() == 0 && !pattern.is_all())
        {
            return Err(FilterError::UnknownName {
                name: unknown.as_str().to_owned(),
                nearest: unknown.nearest(),
            });
        }
        Ok(Self::of(
            included,
            Vec::new(),
            profiles_of(&listed(profiles.unwrap_or_default()))?,
        ))
    }

    /// Replaces the whole filter. After an error it is as before.
    ///
    /// # Errors
    /// As [`Filter::new`].
    pub fn subscribe<E: AsRef<str>, P: AsRef<str>>(
        &mut self,
        events: &[E],
        profiles: &[P],
    ) -> Result<(), FilterError> {
        *self = Self::new(events, profiles)?;
        Ok(())
    }

    /// Takes names away from what is in force; the profiles stay. After an error the filter is as before.
    ///
    /// What is taken away from a wider pattern is remembered: after [`Filter::all`], `Usage*` leaves all but those, and
    /// that includes types which are not known yet.
    ///
    /// # Errors
    /// As [`Filter::new`].
    pub fn unsubscribe<E: AsRef<str>>(&mut self, events: &[E]) -> Result<(), FilterError> {
        let removed = patterns_of(events)?;
        let covered = |pattern: &EventPattern| removed.iter().any(|wide| wide.covers(pattern));
        let included: Vec<_> = self
            .included
            .iter()
            .filter(|pattern| !covered(pattern))
            .cloned()
            .collect();
        let mut excluded: Vec<_> = self
            .excluded
            .iter()
            .filter(|pattern| !covered(pattern))
            .cloned()
            .collect();
        excluded.extend(removed);
        let (mut still, mut kept) = (Vec::new(), Vec::<EventPattern>::new());
        std::mem::swap(&mut still, &mut excluded);
        for pattern in still {
            let needed = included.iter().any(|wide| wide.covers(&pattern));
            if needed && !kept.iter().any(|wider| wider.covers(&pattern)) {
                kept.push(pattern);
            }
        }
        check_count(included.len().max(kept.len()))?;
        *self = Self::of(included, kept, std::mem::take(&mut self.profiles));
        Ok(())
    }

    /// Whether an event of this kind, concerning this profile, passes.
    #[must_use]
    pub fn matches(&self, kind: EventKind, profile: Option<&str>) -> bool {
        self.takes_kind(kind) && self.matches_profile(profile)
    }

    /// Whether an event of this kind can pass, if it concerns the right profile.
    #[must_use]
    pub fn takes_kind(&self, kind: EventKind) -> bool {
        self.kinds & bit(kind) != 0
    }

    /// Whether an event of this name passes, known or not.
    #[must_use]
    pub fn matches_name(&self, name: &str, profile: Option<&str>) -> bool {
        match EventKind::from_name(name) {
            Some(kind) => self.matches(kind, profile),
            None => self.includes(name) && self.matches_profile(profile),
        }
    }

    /// Whether this event passes.
    #[must_use]
    pub fn matches_event(&self, event: &Event) -> bool {
        match event.kind() {
            Some(kind) => self.matches(kind, event.profile()),
            None => self.matches_name(event.name(), event.profile()),
        }
    }

    /// The names and patterns in force, as they were asked for.
    ///
    /// A pattern of which something was taken away is given as the known names that are left of it; types that are
    /// not known yet pass it all the same.
    #[must_use]
    pub fn events(&self) -> Vec<String> {
        let mut events: Vec<String> = Vec::new();
        let mut push = |name: &str| {
            if !events.iter().any(|event| event == name) {
                events.push(name.to_owned());
            }
        };
        for pattern in &self.included {
            let narrowed = self.excluded.iter().any(|narrow| pattern.covers(narrow));
            if narrowed && pattern.kinds() != 0 {
                let left = |kind: &EventKind| {
                    pattern.matches_name(kind.name()) && self.includes(kind.name())
                };
                EventKind::ALL
                    .into_iter()
                    .filter(left)
                    .for_each(|kind| push(kind.name()));
            } else {
                push(pattern.as_str());
            }
        }
        events
    }

    /// The profiles that events must concern; empty for any.
    #[must_use]
    pub fn profiles(&self) -> &[String] {
        &self.profiles
    }

    /// Those names and patterns in force that mean no event which this version knows.
    #[must_use]
    pub fn unknown(&self) -> Vec<String> {
        let unknown = self.included.iter().filter(|pattern| pattern.kinds() == 0);
        unknown.map(|pattern| pattern.as_str().to_owned()).collect()
    }

    fn of(included: Vec<EventPattern>, excluded: Vec<EventPattern>, profiles: Vec<String>) -> Self {
        let mut filter = Self {
            included,
            excluded,
            profiles,
            kinds: 0,
        };
        let passing = EventKind::ALL
            .into_iter()
            .filter(|kind| filter.includes(kind.name()));
        filter.kinds = passing.fold(0, |kinds, kind| kinds | bit(kind));
        filter
    }

    fn includes(&self, name: &str) -> bool {
        let has =
            |patterns: &[EventPattern]| patterns.iter().any(|pattern| pattern.matches_name(name));
        has(&self.included) && !has(&self.excluded)
    }

    fn matches_profile(&self, profile: Option<&str>) -> bool {
        self.profiles.is_empty()
            || profile.is_some_and(|alias| self.profiles.iter().any(|wanted| wanted == alias))
    }
}

/// [`Filter::all`].
impl Default for Filter {
    fn default() -> Self {
        Self::all()
    }
}

const fn bit(kind: EventKind) -> u32 {
    1 << kind as u32
}

/// The patterns, each once, in the order given.
pub(crate) fn patterns_of<E: AsRef<str>>(events: &[E]) -> Result<Vec<EventPattern>, FilterError> {
    check_count(events.len())?;
    let mut patterns = Vec::with_capacity(events.len());
    for event in events {
        let pattern: EventPattern = event.as_ref().parse()?;
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    Ok(patterns)
}

/// The aliases, each once, in the order given.
pub(crate) fn profiles_of<P: AsRef<str>>(profiles: &[P]) -> Result<Vec<String>, FilterError> {
    check_count(profiles.len())?;
    let mut aliases: Vec<String> = Vec::with_capacity(profiles.len());
    for profile in profiles {
        let alias = profile.as_ref();
        if !is_alias(alias) {
            return Err(FilterError::InvalidProfile {
                profile: alias.to_owned(),
            });
        }
        if !aliases.iter().any(|known| known == alias) {
            aliases.push(alias.to_owned());
        }
    }
    Ok(aliases)
}

fn check_count(count: usize) -> Result<(), FilterError> {
    if count > MAX_NAMES {
        Err(FilterError::TooMany { count })
    } else {
        Ok(())
    }
}

fn is_alias(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(allowed)
}

/// The parts of a comma-separated list; an empty list has none.
fn listed(list: &str) -> Vec<&str> {
    if list.trim().is_empty() {
        Vec::new()
    } else {
        list.split(',').map(str::trim).collect()
    }
}

#[cfg(test)]
mod tests;
