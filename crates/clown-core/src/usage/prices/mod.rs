//! What tokens cost: a person's own prices, over those of the registry, over those that are built
//! in. `docs/prices.md` says whose word each rule is.

mod entry;
mod names;
mod rates;
mod table;
mod tier;

pub use rates::{Charge, Rates, Schedule, Step, dollars};
pub(super) use tier::Tier;

use super::record::Counts;
use crate::providers::Problem;
use crate::registry::{Kind, Layer, LayerFile};
use clown_events::Usd;
use entry::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use table::Table;

/// What a model costs, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPrice {
    /// Under what name the price was found.
    pub name: String,
    /// Who says so.
    pub origin: PriceOrigin,
    /// The price.
    pub schedule: Schedule,
}

/// Who says what a model costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceOrigin {
    /// `config.toml`.
    Own,
    /// The registry.
    Registry {
        /// The id of its artifact.
        artifact: String,
    },
    /// What comes with Clown.
    BuiltIn {
        /// The version of LiteLLM whose list it is.
        version: String,
    },
}

/// The prices of models.
#[derive(Debug, Default)]
pub(super) struct Prices {
    own: BTreeMap<String, Rates>,
    layer: Arc<Layer>,
    /// The registry's lists, the one that counts first. Read when somebody asks.
    tables: OnceLock<Vec<(String, Table)>>,
    /// What was asked for, and what was found.
    known: RwLock<HashMap<Box<str>, Option<Arc<ModelPrice>>>>,
}

/// Logs may name any number of models: beyond this, what is known is forgotten.
const MAX_KNOWN: usize = 4_096;

/// No model has a longer name. ARNs have about 150 bytes.
const MAX_NAME_BYTES: usize = 256;

/// How often one name may stand for another.
const MAX_ALIASES: usize = 4;

impl Prices {
    /// The person's own over those of `layer`.
    pub(super) fn new(own: BTreeMap<String, Rates>, layer: Arc<Layer>) -> Self {
        Self {
            own,
            layer,
            ..Self::default()
        }
    }

    /// The same own ones, over those of another layer.
    pub(super) fn over(&self, layer: Arc<Layer>) -> Self {
        Self::new(self.own.clone(), layer)
    }

    /// Whether the registry's prices are those of `layer`.
    pub(super) fn are_over(&self, layer: &Arc<Layer>) -> bool {
        Arc::ptr_eq(&self.layer, layer)
    }

    /// What `counts` of `model` cost; `None` where nobody says. [`Rates::cost`] says how it is
    /// rounded.
    pub(super) fn cost(&self, model: &str, tier: Tier, counts: Counts) -> Option<Usd> {
        self.find(model)?.schedule.rates(tier)?.cost(counts)
    }

    /// What `model` costs, if somebody says so.
    pub(super) fn find(&self, model: &str) -> Option<Arc<ModelPrice>> {
        if model.len() > MAX_NAME_BYTES {
            return None;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(price) = known.get(model) {
            return price.clone();
        }
        drop(known);
        let price = self.look_up(model).map(Arc::new);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(model.into(), price.clone());
        price
    }

    fn look_up(&self, model: &str) -> Option<ModelPrice> {
        let candidates = names::candidates(model);
        let own = candidates.iter().find_map(|candidate| {
            let rates = *self.own.get(&candidate.name)?;
            let is_claude = names::is_claude(&candidate.name);
            Some(ModelPrice {
                name: candidate.name.clone(),
                origin: PriceOrigin::Own,
                // A person's own price is for all that is asked of the model.
                schedule: Schedule::flat(rates.completed(is_claude)),
            })
        });
        own.or_else(|| {
            candidates.iter().find_map(|candidate| {
                let (schedule, origin) = self.listed(&candidate.name)?;
                Some(ModelPrice {
                    name: candidate.name.clone(),
                    origin,
                    schedule: if candidate.fast {
                        schedule.of_fast()?
                    } else {
                        schedule
                    },
                })
            })
        })
    }

    /// Of exactly this name, or what it stands for.
    fn listed(&self, name: &str) -> Option<(Schedule, PriceOrigin)> {
        let mut name = name.to_owned();
        for _ in 0..=MAX_ALIASES {
            match self.entry(&name)? {
                (Entry::Priced(schedule), origin) => return Some((schedule, origin)),
                (Entry::Alias(other), _) => name = other,
            }
        }
        None
    }

    /// A newer list that does not have a model does not take away what older ones say of it: what
    /// it was used for is still to be priced.
    fn entry(&self, name: &str) -> Option<(Entry, PriceOrigin)> {
        let of_registry = self.tables().iter().find_map(|(artifact, table)| {
            let origin = PriceOrigin::Registry {
                artifact: artifact.clone(),
            };
            Some((table.find(name)?.clone(), origin))
        });
        of_registry.or_else(|| {
            let version = table::built_in_version();
            Some((table::built_in(name)?, PriceOrigin::BuiltIn { version }))
        })
    }

    fn tables(&self) -> &[(String, Table)] {
        self.tables.get_or_init(|| {
            let mut files: Vec<&LayerFile> = self.layer.files(Kind::Prices).collect();
            // 2027 before 2026: the greater id counts.
            files.sort_by(|a, b| b.id.cmp(&a.id));
            let tables = files.into_iter().filter_map(|file| {
                // It was checked when it came.
                let table = Table::parse(&file.path, &file.content).ok()?;
                Some((file.id.clone(), table))
            });
            tables.collect()
        })
    }
}

/// Whether a registry's list can be used.
pub(crate) fn check(file: &LayerFile) -> Result<(), Problem> {
    Table::parse(&file.path, &file.content).map(drop)
}

#[cfg(test)]
mod tests;
