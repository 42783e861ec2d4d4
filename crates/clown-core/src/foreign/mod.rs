//! What manifests of a registry may not say, whatever they describe: names by which programs run
//! something else than what they are, or send things to elsewhere, and texts that are more than text.

mod names;
mod programs;
mod refusals;
mod sizes;
mod texts;
mod words;

pub use names::{
    is_address, is_own_key_variable, is_place, refused_member, refused_part, refused_variable,
};
pub use programs::is_never_asked;
pub use refusals::Refusals;
pub use sizes::{refused_count, refused_length};
pub use texts::{
    CAPITALS, has_capitals, is_below_home, is_endpoint, is_plain, is_plain_name, is_web_address,
    refused_template,
};
