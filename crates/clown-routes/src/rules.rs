use crate::condition::{Condition, Moment};
use crate::facts::Facts;
use crate::glob;
use crate::target::Target;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The rules of a profile, as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Names for targets, which requests and rules can use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, Target>,
    /// The rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// What it is called by.
    pub name: String,
    /// When it takes a request, such as `tokens > 60000`; always, where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Who answers: the first that can.
    pub to: Vec<String>,
    /// The highest wins.
    #[serde(default)]
    pub priority: i64,
}

/// A rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct RulesError {
    /// The member, such as `routes.long-context.when`.
    pub place: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Rules that are checked and ready.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// In the order in which they are asked.
    routes: Vec<Ready>,
    aliases: BTreeMap<String, Target>,
}

#[derive(Debug, Clone)]
struct Ready {
    name: String,
    condition: Condition,
    written: String,
    targets: Vec<Target>,
    priority: i64,
}

/// Who takes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The rule; None where none takes it, and the profile's own provider does.
    pub rule: Option<&'a str>,
    /// Who answers: the first that can. Empty is the profile's own provider and the model that is
    /// asked for.
    pub targets: Vec<Target>,
}

/// What the rules make of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The rule that takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Who answers.
    pub targets: Vec<Target>,
    /// Each rule, in the order in which they are asked.
    pub verdicts: Vec<Verdict>,
}

/// What one rule makes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The rule.
    pub rule: String,
    /// Its condition.
    pub when: String,
    /// Whether it holds.
    pub holds: bool,
    /// What it looked at: `tokens is 70213`.
    pub seen: Vec<String>,
    /// Whether it holds, and another one was before it.
    pub is_late: bool,
}

impl Rules {
    /// The ids of the providers that they name.
    pub fn providers(&self) -> BTreeSet<&str> {
        let written = self.routes.iter().flat_map(|route| &route.to);
        let written = written.filter_map(|text| text.split_once('/').map(|(provider, _)| provider));
        let aliases = self.aliases.values().filter_map(|target| match target {
            Target::Model { provider, .. } => Some(provider.as_str()),
            Target::Refuse(_) => None,
        });
        written.chain(aliases).collect()
    }

    /// Whether a rule asks if the budget is used up.
    pub fn ask_for_budget(&self) -> bool {
        let mut conditions = self.routes.iter().filter_map(|route| route.when.as_deref());
        conditions.any(|when| when.to_lowercase().contains("over_budget"))
    }

    /// The rules ready for requests. `has_provider` knows the ids of providers.
    pub fn check(&self, has_provider: impl Fn(&str) -> bool) -> Result<Checked, RulesError> {
        let known = |place: &str, target: &Target| match target {
            Target::Model { provider, .. } if !has_provider(provider) => Err(RulesError {
                place: place.to_owned(),
                message: format!(
                    "there is no provider {provider:?}: `clown providers list` shows those that there are"
                ),
            }),
            _ => Ok(()),
        };
        for (name, target) in &self.aliases {
            let place = format!("aliases.{name}");
            check_name(&place, name)?;
            known(&place, target)?;
        }
        let mut routes: Vec<Ready> = Vec::with_capacity(self.routes.len());
        for route in &self.routes {
            let place = |member: &str| format!("routes.{}{member}", route.name);
            check_name(&place(""), &route.name)?;
            if routes.iter().any(|other| other.name == route.name) {
                return Err(RulesError {
                    place: place(""),
                    message: "there are two rules of that name: give one another".to_owned(),
                });
            }
            let wrong = |member: &str, message: String| RulesError {
                place: place(member),
                message,
            };
            let written = route.when.as_deref().unwrap_or("always");
            let condition = written
                .parse()
                .map_err(|error: crate::ConditionError| wrong(".when", error.to_string()))?;
            if route.to.is_empty() {
                let message = "say who answers, such as gemini/gemini-2.5-pro".to_owned();
                return Err(wrong(".to", message));
            }
            let mut targets = Vec::with_capacity(route.to.len());
            for text in &route.to {
                let target = match self.aliases.get(text) {
                    Some(target) => target.clone(),
                    None => text
                        .parse()
                        .map_err(|error: crate::TargetError| wrong(".to", error.to_string()))?,
                };
                known(&place(".to"), &target)?;
                targets.push(target);
            }
            routes.push(Ready {
                name: route.name.clone(),
                condition,
                written: written.to_owned(),
                targets,
                priority: route.priority,
            });
        }
        // Stable: the first that is written stays first.
        routes.sort_by_key(|route| std::cmp::Reverse(route.priority));
        Ok(Checked {
            routes,
            aliases: self.aliases.clone(),
        })
    }
}

/// Names stand in headers, logs and command lines.
fn check_name(place: &str, name: &str) -> Result<(), RulesError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*?".contains(&byte);
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(fits) {
        return Ok(());
    }
    Err(RulesError {
        place: place.to_owned(),
        message: format!(
            "{:?} is no name: use letters, digits, - and _, up to 64",
            name.chars().take(80).collect::<String>()
        ),
    })
}

impl Checked {
    /// Whether every request goes to the profile's own provider as it is.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.aliases.is_empty()
    }

    /// Who takes a request.
    pub fn decide(&self, facts: &Facts, now: Moment) -> Decision<'_> {
        let taking = self
            .routes
            .iter()
            .find(|route| route.condition.holds(facts, now));
        match taking {
            Some(route) => Decision {
                rule: Some(&route.name),
                targets: route.targets.clone(),
            },
            None => Decision {
                rule: None,
                targets: self.target_of(&facts.model).into_iter().cloned().collect(),
            },
        }
    }

    /// The alias that a model's name is, where it is one. Aliases may have stars.
    fn target_of(&self, model: &str) -> Option<&Target> {
        self.aliases.get(model).or_else(|| {
            let mut found = self.aliases.iter();
            found
                .find(|(alias, _)| alias.contains(['*', '?']) && glob::matches(alias, model))
                .map(|(_, target)| target)
        })
    }

    /// The same with the reasons.
    pub fn explain(&self, facts: &Facts, now: Moment) -> Explained {
        let decision = self.decide(facts, now);
        let verdict = |route: &Ready| {
            let holds = route.condition.holds(facts, now);
            Verdict {
                rule: route.name.clone(),
                when: route.written.clone(),
                holds,
                seen: route.condition.seen(facts, now),
                is_late: holds && decision.rule != Some(route.name.as_str()),
            }
        };
        Explained {
            verdicts: self.routes.iter().map(verdict).collect(),
            rule: decision.rule.map(ToOwned::to_owned),
            targets: decision.targets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOON: Moment = Moment {
        minute: 12 * 60,
        day: 0,
    };

    fn rules(value: Value) -> Rules {
        serde_json::from_value(value).unwrap()
    }

    fn checked(value: Value) -> Result<Checked, RulesError> {
        rules(value).check(|id| ["gemini", "groq", "openrouter"].contains(&id))
    }

    fn facts(model: &str, tokens: u64) -> Facts {
        Facts {
            model: model.to_owned(),
            tokens,
            ..Facts::default()
        }
    }

    #[test]
    fn the_highest_that_holds_takes_it_and_says_why() {
        let rules = checked(json!({
            "aliases": {"cheap": "groq/llama", "gpt-*": "openrouter/*"},
            "routes": [
                {"name": "low", "to": ["cheap"], "when": "tokens > 10"},
                {"name": "long", "when": "tokens > 60000", "to": ["gemini/gemini-2.5-pro", "cheap"], "priority": 10},
                {"name": "low-too", "when": "tokens > 10", "to": ["refuse"]},
            ],
        }))
        .unwrap();
        let check = |facts: &Facts, rule: Option<&str>, targets: &[&str]| {
            let decision = rules.decide(facts, NOON);
            assert_eq!(decision.rule, rule, "{facts:?}");
            let told: Vec<String> = decision.targets.iter().map(ToString::to_string).collect();
            assert_eq!(told, targets, "{facts:?}");
        };
        check(
            &facts("m", 70_000),
            Some("long"),
            &["gemini/gemini-2.5-pro", "groq/llama"],
        );
        check(&facts("m", 11), Some("low"), &["groq/llama"]);
        check(&facts("m", 1), None, &[]);
        check(&facts("cheap", 1), None, &["groq/llama"]);
        check(&facts("gpt-5", 1), None, &["openrouter/*"]);

        let explained = rules.explain(&facts("m", 70_000), NOON);
        assert_eq!(
            serde_json::to_value(explained).unwrap(),
            json!({
                "rule": "long",
                "targets": ["gemini/gemini-2.5-pro", "groq/llama"],
                "verdicts": [
                    {"rule": "long", "when": "tokens > 60000", "holds": true, "seen": ["tokens is 70000"], "is_late": false},
                    {"rule": "low", "when": "tokens > 10", "holds": true, "seen": ["tokens is 70000"], "is_late": true},
                    {"rule": "low-too", "when": "tokens > 10", "holds": true, "seen": ["tokens is 70000"], "is_late": true},
                ],
            })
        );
        assert!(checked(json!({})).unwrap().is_empty());
        let written = json!({"aliases": {"b": "groq/x"}, "routes": [
            {"name": "a", "to": ["gemini/y", "b", "refuse"], "when": "over_budget"}]});
        let written = serde_json::from_value::<Rules>(written).unwrap();
        assert!(written.providers().into_iter().eq(["gemini", "groq"]));
        assert!(written.ask_for_budget());
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_place() {
        let check = |value: Value, place: &str, part: &str| {
            let error = checked(value).unwrap_err();
            assert_eq!(error.place, place);
            assert!(error.message.contains(part), "{error}");
        };
        let route = |more: Value| {
            let mut route = json!({"name": "a", "to": ["groq/x"]});
            let members = route.as_object_mut().unwrap();
            members.extend(more.as_object().unwrap().clone());
            json!({"routes": [route]})
        };
        check(
            route(json!({"when": "tokns > 5"})),
            "routes.a.when",
            "column 1: there is no `tokns`: did you mean `tokens`?",
        );
        check(route(json!({"to": []})), "routes.a.to", "say who answers");
        check(
            route(json!({"to": ["gemni/x"]})),
            "routes.a.to",
            "no provider \"gemni\"",
        );
        check(
            route(json!({"to": ["gemini"]})),
            "routes.a.to",
            "provider/model",
        );
        check(route(json!({"name": "a b"})), "routes.a b", "is no name");
        check(
            json!({"aliases": {"x": "nobody/x"}}),
            "aliases.x",
            "no provider",
        );
        let twice = json!({"name": "a", "to": ["groq/x"]});
        check(json!({"routes": [twice, twice]}), "routes.a", "two rules");
        let unknown: Result<Rules, _> =
            serde_json::from_value(json!({"routes": [{"name": "a", "to": [], "if": "x"}]}));
        assert!(
            unknown
                .unwrap_err()
                .to_string()
                .contains("unknown field `if`")
        );
    }
}
