use clown_events::Usd;
use serde::{Deserialize, Serialize};

/// What a model costs, as far as anybody says: `GET /api/v1/usage/prices`.
///
/// ```
/// let unknown: clown_api::ModelPrice = serde_json::from_str(r#"{"model":"some-model"}"#)?;
/// assert_eq!(unknown.price, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelPrice {
    /// The model, as the agent names it or as it was asked for.
    pub model: String,
    /// Its price; missing where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// A price, in a [`ModelPrice`].
///
/// ```
/// # fn show(price: &clown_api::Price) {
/// println!("as {}, with {} limits", price.name, price.steps.len());
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Under what name it was found.
    pub name: String,
    /// Who says so.
    pub source: PriceSource,
    /// Of a registry, the id of its artifact; of what is built in, the version of LiteLLM whose list
    /// it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// For prompts that are not longer than the first step.
    pub usual: PriceCharge,
    /// For longer prompts, by length. The last one that a prompt is longer than counts for the whole
    /// request, answer and caches too.
    pub steps: Vec<PriceStep>,
}

/// Who says what a model costs, in a [`Price`].
///
/// ```
/// let source: clown_api::PriceSource = serde_json::from_str(r#""built_in""#)?;
/// assert_eq!(source, clown_api::PriceSource::BuiltIn);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PriceSource {
    /// The person, in `config.toml`.
    Own,
    /// The registry.
    Registry,
    /// What comes with Clown.
    BuiltIn,
}

/// The prices of prompts of some length, in a [`Price`].
///
/// ```
/// # fn show(charge: &clown_api::PriceCharge) {
/// println!("a fast service costs the same: {}", charge.fast == Some(charge.standard));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceCharge {
    /// As most requests are answered.
    pub standard: TokenPrices,
    /// By a faster service: the same where there is none, missing where there is one and nobody says
    /// what it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fast: Option<TokenPrices>,
}

/// Another price beyond a length, in a [`Price`].
///
/// ```
/// # fn show(step: &clown_api::PriceStep) {
/// println!("another price beyond {} tokens", step.above);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceStep {
    /// For prompts of more tokens than this.
    pub above: u64,
    /// Their price.
    pub charge: PriceCharge,
}

/// US dollars for a million tokens of each kind. What nobody says is missing.
///
/// ```
/// let prices: clown_api::TokenPrices = serde_json::from_str(r#"{"input":3,"output":15}"#)?;
/// assert_eq!(prices.cache_read, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPrices {
    /// Of the prompt, without those that went to or came from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Usd>,
    /// Of the answer, with what the model thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Usd>,
    /// Put into a cache for a short time, mostly 5 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Usd>,
    /// Put into a cache for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_hour: Option<Usd>,
    /// Taken from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Usd>,
}
