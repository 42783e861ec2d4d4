//! Prices, and what comes of them.

use super::tier::Tier;
use crate::usage::record::Counts;
use clown_events::Usd;

/// US dollars for a million tokens of each kind; `None` where nobody says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of the prompt, without those that went to or came from a cache.
    pub input: Option<Usd>,
    /// Of the answer, with what the model thought.
    pub output: Option<Usd>,
    /// Put into the cache for a short time.
    pub cache_write: Option<Usd>,
    /// Put into the cache for an hour.
    pub cache_write_hour: Option<Usd>,
    /// Taken from the cache.
    pub cache_read: Option<Usd>,
}

/// What a model costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// For prompts that are not longer than the first step.
    pub usual: Charge,
    /// For longer prompts, by length: the last one that a prompt is longer than counts for all of
    /// its request, answer and cache too.
    pub steps: Vec<Step>,
}

/// The price of prompts of some length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charge {
    /// As most requests are answered.
    pub standard: Rates,
    /// By a faster service; the same as standard where there is none, `None` where there is one and
    /// nobody says what it costs.
    pub fast: Option<Rates>,
}

/// Another price beyond a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// For prompts of more tokens than this.
    pub above: u64,
    /// Their price.
    pub charge: Charge,
}

const MILLION: i128 = 1_000_000;

/// So many dollars; `None` for what is no price.
pub fn dollars(amount: f64) -> Option<Usd> {
    // A double has about 16 digits, and no price has so many: rounding gives the amount as written.
    let nanos = (amount * 1e9).round();
    (0.0..1e18)
        .contains(&nanos)
        .then(|| Usd::from_nanos(nanos as i64))
}

impl Rates {
    /// In the order of [`Counts::kinds`].
    pub fn kinds(self) -> [Option<Usd>; Counts::KINDS] {
        [
            self.input,
            self.output,
            self.cache_write,
            self.cache_write_hour,
            self.cache_read,
        ]
    }

    pub(super) fn of_kinds(kinds: [Option<Usd>; Counts::KINDS]) -> Self {
        let [input, output, cache_write, cache_write_hour, cache_read] = kinds;
        Self {
            input,
            output,
            cache_write,
            cache_write_hour,
            cache_read,
        }
    }

    /// What `counts` cost; `None` if there are some of a kind without a price.
    ///
    /// Whole billionths of a dollar, rounded once, half up, after all kinds are added. A price that
    /// is a whole number of them for one token, as most are, is never rounded: then the cost of a
    /// sum is the sum of the costs. Else each sum is off by half a billionth at most.
    pub(super) fn cost(self, counts: Counts) -> Option<Usd> {
        let mut sum = 0_i128;
        for (count, rate) in counts.kinds().into_iter().zip(self.kinds()) {
            if count > 0 {
                let cost = i128::from(count) * i128::from(rate?.nanos());
                sum = sum.saturating_add(cost);
            }
        }
        let nanos = sum.saturating_add(MILLION / 2).div_euclid(MILLION);
        Some(i64::try_from(nanos).map_or(Usd::MAX, Usd::from_nanos))
    }

    /// All of it dearer.
    pub(super) fn times(self, factor: f64) -> Self {
        Self::of_kinds(
            self.kinds()
                .map(|rate| dollars(rate?.nanos() as f64 * factor / 1e9)),
        )
    }

    /// With a price for each kind of caching. Who publishes none for it charges it as input, but
    /// Anthropic has charged the same shares of input for most of its models.
    pub(super) fn completed(self, is_claude: bool) -> Self {
        let share = |of_input: f64| match self.input {
            Some(input) if is_claude => dollars(input.nanos() as f64 * of_input / 1e9),
            input => input,
        };
        let cache_write = self.cache_write.or_else(|| share(1.25));
        let hour = if is_claude { share(2.0) } else { cache_write };
        Self {
            cache_write,
            cache_write_hour: self.cache_write_hour.or(hour),
            cache_read: self.cache_read.or_else(|| share(0.1)),
            ..self
        }
    }
}

impl Schedule {
    /// One price for everything.
    pub(super) fn flat(rates: Rates) -> Self {
        Self {
            usual: Charge {
                standard: rates,
                fast: Some(rates),
            },
            steps: Vec::new(),
        }
    }

    /// What counts in a tier; `None` where nobody says.
    pub(super) fn rates(&self, tier: Tier) -> Option<Rates> {
        let mut charge = self.usual;
        for step in &self.steps {
            if !tier.is_above(step.above)? {
                break;
            }
            charge = step.charge;
        }
        if tier.is_fast() {
            charge.fast
        } else {
            Some(charge.standard)
        }
    }

    /// The faster service's alone; `None` where nobody says what it costs.
    pub(super) fn of_fast(mut self) -> Option<Self> {
        self.usual.standard = self.usual.fast?;
        for step in &mut self.steps {
            step.charge.standard = step.charge.fast?;
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(amount: f64) -> Option<Usd> {
        dollars(amount)
    }

    #[test]
    fn costs_are_exact() {
        let rates = |input: f64, output: f64| Rates {
            input: usd(input),
            output: usd(output),
            ..Rates::default()
        };
        let check = |rates: Rates, input: u64, output: u64, nanos: Option<i64>| {
            let counts = Counts {
                input,
                output,
                ..Counts::default()
            };
            assert_eq!(
                rates.cost(counts).map(Usd::nanos),
                nanos,
                "{input} {output}"
            );
        };
        check(rates(3.0, 15.0), 1, 1, Some(18_000));
        check(rates(0.1, 0.3), 3, 0, Some(300));
        // A fraction of a billionth, rounded once for both kinds.
        check(rates(0.000_4, 0.000_1), 1, 1, Some(1));
        check(rates(0.000_4, 0.000_1), 1, 0, Some(0));
        check(rates(0.0, 0.0), 7, 7, Some(0));
        check(rates(3.0, 15.0), u64::MAX, u64::MAX, Some(i64::MAX));
        // A kind without a price matters only where there is some of it.
        let input_alone = Rates {
            input: usd(1.0),
            ..Rates::default()
        };
        check(input_alone, 5, 0, Some(5_000));
        check(input_alone, 5, 1, None);
    }

    #[test]
    fn a_sum_costs_what_its_parts_cost() {
        let rates = Rates {
            input: usd(1.25),
            output: usd(10.0),
            cache_write: usd(0.132),
            cache_write_hour: usd(37.5),
            cache_read: usd(0.025),
        };
        let (mut sum, mut costs) = (Counts::default(), 0);
        for number in 0..1_000 {
            let kinds = [3, 5, 7, 11, 13].map(|prime| number * prime % 977);
            let counts = Counts::of_kinds(kinds);
            sum = sum.plus(counts);
            costs += rates.cost(counts).unwrap().nanos();
        }
        assert_eq!(rates.cost(sum).unwrap().nanos(), costs);
    }

    #[test]
    fn an_amount_is_taken_as_it_is_written() {
        let check = |amount: f64, nanos: Option<i64>| {
            assert_eq!(dollars(amount).map(Usd::nanos), nanos, "{amount}");
        };
        check(0.1 + 0.2, Some(300_000_000));
        check(4.4e-8 * 1e6, Some(44_000_000));
        check(0.0, Some(0));
        check(1e-12, Some(0));
        check(-0.1, None);
        check(f64::NAN, None);
        check(f64::INFINITY, None);
        check(1e12, None);
    }
}
