//! Records on their way to the database.

use super::record::{Counts, Key, Record};
use crate::Alias;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

/// What was found, each answer once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) found: Vec<Found>,
    /// Sums that grow, in the order of time.
    pub(super) sums: Vec<Found>,
    by_key: HashMap<Key, usize, BuildHasherDefault<OfHash>>,
    pub(super) models: Names,
    pub(super) origins: Vec<Origin>,
    by_origin: HashMap<Origin, u32>,
    scope: Scope,
    last: u32,
    /// How many answers were told of that are not to be believed.
    pub(super) refused: u64,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) key: Key,
    pub(super) at: i64,
    /// In [`Batch::origins`].
    pub(super) origin: u32,
    /// In [`Batch::models`].
    pub(super) model: u32,
    /// None where it is not told.
    pub(super) fast: Option<bool>,
    pub(super) counts: Counts,
    /// False if it is counted elsewhere.
    pub(super) is_counted: bool,
}

/// Whose files are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) agent: String,
    pub(super) profile: Option<Alias>,
}

/// Where an answer belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) scope: Scope,
    pub(super) project: String,
    pub(super) session: String,
}

impl Origin {
    /// Where an answer belongs that stands in two places: to a profile, for that is certain; to
    /// where it stood first.
    pub(super) fn is_before(&self, at: i64, other: &Self, other_at: i64) -> bool {
        // A proxy sees no project: what the agent itself writes down says more.
        let rank = |origin: &Self, at: i64| {
            (
                origin.scope.profile.is_none(),
                origin.project.is_empty(),
                at,
            )
        };
        (rank(self, at), &self.session) < (rank(other, other_at), &other.session)
    }

    fn is(&self, scope: &Scope, project: &str, session: &str) -> bool {
        self.session == session && self.project == project && self.scope == *scope
    }
}

impl Batch {
    /// What is added from now on is of `scope`.
    pub(super) fn set_scope(&mut self, scope: &Scope) {
        if self.scope != *scope {
            self.scope = scope.clone();
        }
    }

    /// What was found so far. What is added from now on is of the same scope.
    pub(super) fn take(&mut self) -> Self {
        let next = Self {
            scope: self.scope.clone(),
            refused: self.refused,
            ..Self::default()
        };
        std::mem::replace(self, next)
    }

    pub(super) fn len(&self) -> usize {
        self.found.len() + self.sums.len()
    }

    pub(super) fn add_sum(&mut self, record: &Record<'_>, project: &str, is_counted: bool) {
        if !record.counts.is_believable_sum() {
            self.refused += 1;
            return;
        }
        let mut found = self.of(record, project);
        found.is_counted = is_counted;
        self.sums.push(found);
    }

    fn of(&mut self, record: &Record<'_>, project: &str) -> Found {
        Found {
            key: record.key,
            at: record.at,
            origin: self.origin(project, record.session),
            model: self.models.id(record.model),
            fast: record.fast,
            counts: record.counts,
            is_counted: true,
        }
    }

    pub(super) fn add(&mut self, record: &Record<'_>, project: &str) {
        if record.counts.is_zero() {
            return;
        }
        if !record.counts.is_believable() {
            self.refused += 1;
            return;
        }
        let found = self.of(record, project);
        match self.by_key.entry(record.key) {
            Entry::Vacant(place) => {
                place.insert(self.found.len());
                self.found.push(found);
            }
            Entry::Occupied(place) => {
                let known = &mut self.found[*place.get()];
                let (mine, other) = (known.origin as usize, found.origin as usize);
                let moves = self.origins[other].is_before(found.at, &self.origins[mine], known.at);
                if moves {
                    (known.at, known.origin) = (found.at, found.origin);
                }
                if found.counts.is_larger_than(known.counts) {
                    (known.model, known.fast) = (found.model, found.fast.or(known.fast));
                }
                // A proxy knows nothing of it, and is first or last as it happens.
                known.fast = known.fast.or(found.fast);
                known.counts = known.counts.larger(found.counts);
            }
        }
    }

    fn origin(&mut self, project: &str, session: &str) -> u32 {
        let last = self.origins.get(self.last as usize);
        if last.is_some_and(|last| last.is(&self.scope, project, session)) {
            return self.last;
        }
        let origin = Origin {
            scope: self.scope.clone(),
            project: project.to_owned(),
            session: session.to_owned(),
        };
        self.last = match self.by_origin.entry(origin) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let id = self.origins.len() as u32;
                self.origins.push(place.key().clone());
                *place.insert(id)
            }
        };
        self.last
    }
}

/// Names, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    all: Vec<String>,
    last: u32,
}

impl Names {
    pub(super) fn get(&self, id: u32) -> &str {
        &self.all[id as usize]
    }

    /// There are few names, and mostly the same one comes again.
    fn id(&mut self, name: &str) -> u32 {
        if self.all.get(self.last as usize).map(String::as_str) != Some(name) {
            let place = self.all.iter().position(|known| known == name);
            let place = place.unwrap_or_else(|| {
                self.all.push(name.to_owned());
                self.all.len() - 1
            });
            self.last = place as u32;
        }
        self.last
    }
}

/// Takes a key, which is a hash, as its own hash.
#[derive(Debug, Default)]
struct OfHash(u64);

impl Hasher for OfHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = self.0.rotate_left(5) ^ u64::from_le_bytes(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: u8, at: i64, session: &str, output: u64) -> Record<'_> {
        Record {
            key: Key::of(&[&[key]]),
            at,
            session,
            model: "m",
            fast: None,
            counts: Counts {
                input: 5,
                output,
                ..Counts::default()
            },
        }
    }

    #[test]
    fn an_answer_counts_once_where_it_stood_first() {
        let mut batch = Batch::default();
        let own = Scope {
            agent: "claude".to_owned(),
            profile: None,
        };
        batch.set_scope(&own);
        batch.add(&record(1, 50, "copy", 9), "/p");
        batch.add(&record(1, 40, "first", 3), "/p");
        batch.add(&record(1, 60, "later", 12), "/p");
        batch.add(&record(2, 60, "later", 0), "/p");
        assert_eq!(batch.len(), 2);
        let found = batch.found[0];
        assert_eq!((found.at, found.counts.output), (40, 12));
        assert_eq!(batch.origins[found.origin as usize].session, "first");
        // What stands in a profile's home is the profile's.
        let work = Scope {
            profile: Some("work".parse().unwrap()),
            ..own
        };
        batch.set_scope(&work);
        batch.add(&record(1, 70, "of-work", 1), "/p");
        let origin = &batch.origins[batch.found[0].origin as usize];
        assert_eq!(
            (origin.scope.profile.clone(), &*origin.session),
            (work.profile, "of-work")
        );
    }
}
