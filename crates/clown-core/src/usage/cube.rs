//! The sums in memory, so that a question costs one pass over them and no look at the disk.

use super::batch::Origin;
use super::ledger::{self, Cell};
use super::prices::Tier;
use crate::store::StoreError;
use rusqlite::Connection;
use std::collections::HashMap;

/// All sums, by time.
#[derive(Debug, Default)]
pub(super) struct Cube {
    /// By quarter, then series.
    pub(super) cells: Vec<Cell>,
    /// By number, which is dense; the first has number 1.
    series: Vec<Series>,
    /// In [`Cube::priced`], of each series: beside the rest of it, which is seldom looked at and
    /// would not find room near the processor.
    priced_of: Vec<u32>,
    /// Models and tiers, each pair once.
    pub(super) priced: Vec<(String, Tier)>,
    by_priced: HashMap<(String, Tier), u32>,
}

/// What cells of one series have in common.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) origin: Origin,
}

impl Cube {
    pub(super) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let mut cube = Self {
            cells: ledger::cells(connection)?,
            ..Self::default()
        };
        cube.learn(connection)?;
        Ok(cube)
    }

    /// Takes in series that are new.
    fn learn(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let first = self.series.len() as i64 + 1;
        for (id, origin, model, tier) in ledger::series_from(connection, first)? {
            let priced = (model, tier);
            let place = match self.by_priced.get(&priced) {
                Some(place) => *place,
                None => {
                    self.priced.push(priced.clone());
                    let place = self.priced.len() as u32 - 1;
                    self.by_priced.insert(priced, place);
                    place
                }
            };
            // Rows are never taken away, so that numbers follow one another.
            debug_assert_eq!(id, self.series.len() as i64 + 1);
            self.series.push(Series { origin });
            self.priced_of.push(place);
        }
        Ok(())
    }

    /// Takes in what a batch has changed.
    pub(super) fn add(
        &mut self,
        changes: &[Cell],
        connection: &Connection,
    ) -> Result<(), StoreError> {
        let known = self.series.len() as i64;
        if changes.iter().any(|cell| cell.series > known) {
            self.learn(connection)?;
        }
        for change in changes {
            let place = (change.quarter, change.series);
            match self
                .cells
                .binary_search_by_key(&place, |cell| (cell.quarter, cell.series))
            {
                Ok(index) => self.cells[index].amount.add(change.amount),
                Err(index) => self.cells.insert(index, *change),
            }
        }
        Ok(())
    }

    /// In [`Cube::priced`].
    pub(super) fn priced_of(&self, series: i64) -> u32 {
        self.priced_of[series as usize - 1]
    }

    pub(super) fn all_series(&self) -> &[Series] {
        &self.series
    }
}
