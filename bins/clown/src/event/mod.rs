//! Events as `clown watch` and `clown events` treat them: which, how they are shown, and what is
//! done for each.

pub(crate) mod ahead;
pub(crate) mod args;
pub(crate) mod check;
mod condition;
pub(crate) mod handler;
mod hook;
pub(crate) mod line;
mod members;
mod nearest;
pub(crate) mod replay;
mod seen;
mod template;
pub(crate) mod words;
