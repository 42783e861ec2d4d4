use super::{By, Filter};
use crate::context::Context;
use crate::table::{Table, printable};
use clap::Args;
use clown_api::{ModelPrice, Price, PriceCharge, PriceSource, TokenPrices};
use clown_events::Usd;

#[derive(Debug, Args)]
pub(super) struct PricesArgs {
    /// A model, as its agent's log or a provider calls it [default: all models that were used]
    #[arg(value_name = "MODEL")]
    name: Option<String>,
}

/// What one kind of tokens after another costs, as columns.
const KINDS: [&str; 5] = ["INPUT", "OUTPUT", "CACHE READ", "WRITE 5M", "WRITE 1H"];

pub(super) async fn prices(
    context: &Context,
    filter: Filter,
    args: PricesArgs,
) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    // Of all that is counted, unless a part is named.
    let mut query = filter.query(By::Month);
    query.model = args.name.or(query.model);
    let prices = client.prices(&query).await?;
    let output = context.output;
    if output.is_json() {
        return output.json(&prices);
    }
    match (prices.as_slice(), &query.model) {
        ([], _) => output.line(
            "No model was used, as far as is counted. `clown usage prices MODEL` tells what any model costs.",
        ),
        ([model], Some(_)) => one(context, model),
        (models, _) => all(context, models),
    }
}

fn one(context: &Context, model: &ModelPrice) -> anyhow::Result<()> {
    let output = context.output;
    let name = printable(&model.model);
    let Some(price) = &model.price else {
        return output.line(unknown(context, &name));
    };
    let found = if price.name == model.model {
        String::new()
    } else {
        format!(" as {}", printable(&price.name))
    };
    output.line(format_args!(
        "{name}: {}{found}. US dollars for a million tokens:\n",
        source(price)
    ))?;
    charges(price).print(output)?;
    for note in notes(price) {
        output.line(format_args!("\n{note}"))?;
    }
    Ok(())
}

fn all(context: &Context, models: &[ModelPrice]) -> anyhow::Result<()> {
    let output = context.output;
    let header = [&["MODEL"], KINDS.as_slice(), &["LONG", "FAST", "FROM"]].concat();
    let mut table = Table::new(&header);
    for model in models {
        let mut cells = vec![model.model.clone()];
        match &model.price {
            Some(price) => {
                cells.extend(kinds(Some(price.usual.standard)));
                let long = price.steps.first().map(|step| above(step.above));
                cells.push(long.unwrap_or_default());
                cells.push(match price.usual.fast {
                    None => "unknown".to_owned(),
                    Some(fast) if fast == price.usual.standard => String::new(),
                    Some(fast) => dollars(fast.input),
                });
                cells.push(source(price));
            }
            None => {
                cells.extend(kinds(None));
                cells.extend([String::new(), String::new(), "nobody says".to_owned()]);
            }
        }
        table.row(cells);
    }
    table.print(output)?;
    output.line(
        "\nUS dollars for a million tokens. LONG: prompts from which another price counts; FAST: the input by a \
         fast service. `clown usage prices MODEL` tells all of one.",
    )?;
    let is_unknown = |model: &&ModelPrice| model.price.is_none();
    match models.iter().find(is_unknown) {
        Some(model) => {
            let name = printable(&model.model);
            output.line(format_args!("\n{}", unknown(context, &name)))
        }
        None => Ok(()),
    }
}

/// What is to be done about a price that nobody says.
fn unknown(context: &Context, name: &str) -> String {
    let config = context.places.config_dir.join("config.toml");
    // TOML's strings are escaped as JSON's are.
    let quoted = serde_json::Value::from(name);
    format!(
        "{name}: the price is unknown, no list has it. Its tokens are counted, without a cost. If you know \
         what it costs, write it into\n{} and start the daemon again (`clown daemon restart`):\n\n\
         [prices.{quoted}]\n\
         input = 3     # US dollars for a million tokens\n\
         output = 15",
        config.display()
    )
}

fn source(price: &Price) -> String {
    let list = price.list.as_deref().unwrap_or_default();
    match price.source {
        PriceSource::Own => "your own price ([prices] in config.toml)".to_owned(),
        PriceSource::Registry => format!("registry (prices {})", printable(list)),
        PriceSource::BuiltIn => format!("built in (LiteLLM {})", printable(list)),
        _ => "said by what this program does not know".to_owned(),
    }
}

/// Each length of prompts, usual and fast.
fn charges(price: &Price) -> Table {
    let header = [&["PROMPT"], KINDS.as_slice()].concat();
    let mut table = Table::new(&header);
    let usual = match price.steps.first() {
        None => "of any length".to_owned(),
        Some(step) => format!("up to {}", above(step.above)),
    };
    let steps = price.steps.iter();
    let longer = steps.map(|step| (format!("longer than {}", above(step.above)), step.charge));
    for (prompt, charge) in [(usual, price.usual)].into_iter().chain(longer) {
        let fast = format!("{prompt}, fast");
        table.row([vec![prompt], kinds(Some(charge.standard))].concat());
        if !is_flat(charge) {
            table.row([vec![fast], kinds(charge.fast)].concat());
        }
    }
    table
}

/// Whether a fast service costs the same.
fn is_flat(charge: PriceCharge) -> bool {
    charge.fast == Some(charge.standard)
}

fn notes(price: &Price) -> Vec<&'static str> {
    let mut notes = Vec::new();
    if !price.steps.is_empty() {
        notes.push(
            "Cached tokens count for the length of a prompt, and the price of a long one is for the whole \
             request: for its answer and caches too.",
        );
    }
    let mut charges = price.steps.iter().map(|step| step.charge);
    if is_flat(price.usual) && charges.all(is_flat) {
        notes.push("A fast service has no other price.");
    }
    notes
}

/// In the order of [`KINDS`].
fn kinds(prices: Option<TokenPrices>) -> Vec<String> {
    let TokenPrices {
        input,
        output,
        cache_write,
        cache_write_hour,
        cache_read,
    } = prices.unwrap_or_default();
    [input, output, cache_read, cache_write, cache_write_hour]
        .map(dollars)
        .to_vec()
}

/// All digits, and two behind the point at least: prices are often parts of a cent.
fn dollars(amount: Option<Usd>) -> String {
    let Some(amount) = amount else {
        return "unknown".to_owned();
    };
    let text = amount.to_string();
    let (whole, cents) = text.split_once('.').unwrap_or((&text, ""));
    format!("${whole}.{cents:0<2}")
}

/// `272,000`.
fn above(tokens: u64) -> String {
    let digits = tokens.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_keep_all_their_digits() {
        let check = |nanos: i64, expected: &str| {
            assert_eq!(dollars(Some(Usd::from_nanos(nanos))), expected);
        };
        check(0, "$0.00");
        check(3_000_000_000, "$3.00");
        check(2_500_000_000, "$2.50");
        check(75_000_000, "$0.075");
        check(22_500_000_001, "$22.500000001");
        assert_eq!(dollars(None), "unknown");
    }

    #[test]
    fn lengths_are_written_in_thousands() {
        let check = |tokens: u64, expected: &str| assert_eq!(above(tokens), expected);
        check(0, "0");
        check(999, "999");
        check(32_000, "32,000");
        check(1_000_000, "1,000,000");
    }

    #[test]
    fn a_price_is_told_with_its_limits_and_services() {
        let price = |json: serde_json::Value| -> Price { serde_json::from_value(json).unwrap() };
        let flat = serde_json::json!({"input": 3, "output": 15});
        let own = price(
            serde_json::json!({"name": "m", "source": "own", "steps": [],
            "usual": {"standard": flat, "fast": flat}}),
        );
        assert_eq!(notes(&own), ["A fast service has no other price."]);
        let listed = price(
            serde_json::json!({"name": "m", "source": "registry", "list": "2026-03",
            "usual": {"standard": flat}, "steps": [{"above": 272_000, "charge": {"standard": flat,
            "fast": {"input": 6, "output": 30}}}]}),
        );
        assert_eq!(source(&listed), "registry (prices 2026-03)");
        let lines = charges(&listed).lines();
        let rows: Vec<Vec<&str>> = lines
            .iter()
            .map(|line| {
                line.split("  ")
                    .filter(|cell| !cell.is_empty())
                    .map(str::trim)
                    .collect()
            })
            .collect();
        assert_eq!(rows[1][..3], ["up to 272,000", "$3.00", "$15.00"]);
        assert_eq!(rows[2][..3], ["up to 272,000, fast", "unknown", "unknown"]);
        assert_eq!(rows[3][..3], ["longer than 272,000", "$3.00", "$15.00"]);
        assert_eq!(
            rows[4][..3],
            ["longer than 272,000, fast", "$6.00", "$30.00"]
        );
        assert_eq!(notes(&listed).len(), 1);
    }
}
