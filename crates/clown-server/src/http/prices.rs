//! What models cost: `/api/v1/usage/prices`.

use super::usage::{QUESTION, question};
use super::{Body, Query, Refusal, blocking, json_response};
use clown_api::{List, ModelPrice, Price, PriceCharge, PriceSource, PriceStep, TokenPrices};
use clown_core::Core;
use clown_core::usage::{Charge, GroupBy, ModelPrice as Found, PriceOrigin, Question, Rates, Step};
use http::{Response, StatusCode};
use std::sync::Arc;

/// Of the model that is named, used or not; else of those that were used, the dearest first.
pub(super) async fn list(core: &Arc<Core>, query: Option<&str>) -> Result<Response<Body>, Refusal> {
    let known: Vec<&str> = QUESTION
        .into_iter()
        .filter(|name| *name != "group_by")
        .collect();
    let mut query = Query::parse(query, &known)?;
    let (question, _) = question(core, &mut query)?;
    let core = Arc::clone(core);
    blocking(move || {
        let models = match question.model {
            Some(model) => vec![model],
            None => used(&core, question)?,
        };
        let items = models.into_iter().map(|model| ModelPrice {
            price: core.usage.price_of(&model).map(price),
            model,
        });
        let list = List {
            items: items.collect::<Vec<_>>(),
        };
        Ok(json_response(StatusCode::OK, &list))
    })
    .await?
}

fn used(core: &Core, question: Question) -> Result<Vec<String>, Refusal> {
    let report = core.usage.report(&Question {
        group_by: GroupBy::Model,
        ..question
    })?;
    Ok(report.rows.into_iter().map(|row| row.key).collect())
}

fn price(found: Found) -> Price {
    let (source, list) = match found.origin {
        PriceOrigin::Own => (PriceSource::Own, None),
        PriceOrigin::Registry { artifact } => (PriceSource::Registry, Some(artifact)),
        PriceOrigin::BuiltIn { version } => (PriceSource::BuiltIn, Some(version)),
    };
    let steps = found.schedule.steps.into_iter();
    Price {
        name: found.name,
        source,
        list,
        usual: charge(found.schedule.usual),
        steps: steps.map(step).collect(),
    }
}

fn step(step: Step) -> PriceStep {
    PriceStep {
        above: step.above,
        charge: charge(step.charge),
    }
}

fn charge(charge: Charge) -> PriceCharge {
    PriceCharge {
        standard: rates(charge.standard),
        fast: charge.fast.map(rates),
    }
}

fn rates(rates: Rates) -> TokenPrices {
    TokenPrices {
        input: rates.input,
        output: rates.output,
        cache_write: rates.cache_write,
        cache_write_hour: rates.cache_write_hour,
        cache_read: rates.cache_read,
    }
}
