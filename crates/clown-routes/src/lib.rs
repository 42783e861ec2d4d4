//! Which target takes a request of an agent, by rules that people write.
//!
//! A rule has a condition, such as `tokens > 60000 and not images`, and targets, such as
//! `gemini/gemini-2.5-pro`. Of the rules whose condition holds, the one with the highest priority
//! takes the request; of several with the same one, the first that is written.
//!
//! Everything is checked when it is written: [`Rules::check`] tells what is wrong, and where.

mod condition;
mod facts;
mod glob;
mod parse;
mod rules;
mod target;

pub use condition::{Condition, Moment};
pub use facts::{Facts, FactsError};
pub use parse::ConditionError;
pub use rules::{Checked, Decision, Explained, Route, Rules, RulesError, Verdict};
pub use target::{Refusal, Target, TargetError};
