//! The agent as this program's child: started behind a gate, followed through stops and signals,
//! and written down for a daemon that is away.

mod child;
mod gate;
mod record;
mod signals;
mod terminal;

pub(crate) use child::{stat_field, wait};
pub(crate) use gate::{Gated, start_behind_gate};
pub(crate) use record::ExitRecord;
pub(crate) use signals::{Forwarding, NotLetGo};
pub(crate) use terminal::Terminal;
