//! What every built-in agent is told, whatever it speaks.

use super::plan_tests::{Case, KEY};
use super::{LaunchPlan, Wanted};
use crate::providers::Format;
use std::collections::BTreeSet;

const HOST: &str = "127.0.0.1:4242";
const MODEL: &str = "maker/model-1.5";
const SMALL: &str = "maker/small-0.5";
/// Those that take a small model where they are told an endpoint.
const WITH_SMALL_MODEL: [&str; 8] = [
    "aider", "claude", "crush", "goose", "grok", "kimi", "opencode", "qwen",
];
/// Those whose version of the bearer header is one of their own.
const BEARER: [&str; 5] = ["claude", "copilot", "crush", "opencode", "pi"];

fn plan(case: &mut Case, agent: &str, format: Format, auth: &str) -> LaunchPlan {
    let path = match format {
        Format::AnthropicMessages | Format::Gemini => "",
        Format::OpenaiChat | Format::OpenaiResponses => "/v1",
    };
    case.add_provider(&format!(
        "id = \"here\"\nname = \"Here\"\nkey = {{ variable = \"HERE_KEY\", required = true, auth = \"{auth}\" }}\n[[endpoints]]\nid = \"e\"\nurls = {{ {format} = \"http://{HOST}{path}\" }}\n"
    ));
    let set = |input: &mut super::LaunchInput<'_>| {
        input.model = Some(MODEL);
        input.small_model = Some(SMALL);
    };
    case.plan(agent, "here", set).unwrap()
}

/// Everything that is set, one text each.
fn told(plan: &LaunchPlan) -> Vec<String> {
    let env = plan.env.values().flatten().cloned();
    let files = plan.files.values().flat_map(|merge| &merge.members);
    let files = files.map(|member| {
        let (Wanted::Value(value) | Wanted::Element(value)) = &member.wanted;
        value.to_string()
    });
    env.chain(files).collect()
}

#[test]
fn endpoint_model_and_key_reach_every_agent() {
    let mut case = Case::new();
    let agents: Vec<(String, Vec<Format>)> = case
        .agents()
        .map(|agent| (agent.id.as_str().to_owned(), agent.formats.clone()))
        .collect();
    for (agent, formats) in agents {
        for format in formats {
            let plan = plan(&mut case, &agent, format, "own");
            let told = told(&plan);
            let says = |text: &str| told.iter().any(|told| told.contains(text));
            assert!(says(HOST), "{agent} {format}: {told:?}");
            assert!(says(MODEL), "{agent} {format}: {told:?}");
            let takes_small = WITH_SMALL_MODEL.contains(&agent.as_str());
            assert_eq!(says(SMALL), takes_small, "{agent} {format}: {told:?}");
            let holders: Vec<&String> = plan
                .env
                .iter()
                .filter(|(_, value)| value.as_deref() == Some(KEY))
                .map(|(name, _)| name)
                .collect();
            assert_eq!(holders.len(), 1, "{agent} {format}: {holders:?}");
            assert!(!format!("{:?}", plan.files).contains(KEY), "{agent}");
        }
    }
}

#[test]
fn a_key_for_the_bearer_header_is_told_where_an_agent_makes_a_difference() {
    let mut case = Case::new();
    let agents: BTreeSet<String> = case
        .agents()
        .filter(|agent| agent.formats.contains(&Format::AnthropicMessages))
        .map(|agent| agent.id.as_str().to_owned())
        .collect();
    for agent in agents {
        let differs = {
            let own = plan(&mut case, &agent, Format::AnthropicMessages, "own");
            let bearer = plan(&mut case, &agent, Format::AnthropicMessages, "bearer");
            own != bearer
        };
        assert_eq!(differs, BEARER.contains(&agent.as_str()), "{agent}");
    }
}

#[test]
fn what_each_keeps_lies_in_the_profiles_home() {
    let case = Case::new();
    for agent in case.agents() {
        let id = agent.id.as_str();
        let plan = case.plan(id, "self", |_| ()).unwrap();
        let homes = plan.env.values().flatten();
        let mut homes = homes.filter(|value| value.starts_with("/state/homes/work/"));
        assert!(homes.next().is_some(), "{id}: {:?}", plan.env);
        let is_known = |value: &&String| value.starts_with("/state/homes/work/") || *value == "1";
        let all: Vec<&String> = plan.env.values().flatten().collect();
        assert!(all.iter().all(is_known), "{id}: {all:?}");
        assert!(plan.env.values().any(Option::is_none), "{id}");
    }
}

#[test]
fn goose_takes_an_address_apart() {
    let mut case = Case::new();
    let mut check = |format: Format, path: &str| {
        let plan = plan(&mut case, "goose", format, "own");
        let set = |name: &str| plan.env[name].clone().unwrap();
        assert_eq!(set("OPENAI_HOST"), format!("http://{HOST}"));
        assert_eq!(set("OPENAI_BASE_PATH"), path);
    };
    check(Format::OpenaiChat, "/v1/chat/completions");
    check(Format::OpenaiResponses, "/v1/responses");
}

#[test]
fn a_list_that_a_person_keeps_gets_an_element() {
    let mut case = Case::new();
    let plan = plan(&mut case, "droid", Format::OpenaiChat, "own");
    let members = &plan.files["droid/.factory/settings.json"].members;
    let models = members
        .iter()
        .find(|member| member.at == ["customModels"])
        .unwrap();
    let Wanted::Element(model) = &models.wanted else {
        panic!("{models:?}");
    };
    assert_eq!(model["model"], MODEL);
    assert_eq!(model["apiKey"], "${CLOWN_API_KEY}");
}

#[test]
fn a_small_model_is_taken_where_something_is_told_of_it() {
    let case = Case::new();
    let mut seen = 0;
    for agent in case.agents() {
        let id = agent.id.as_str();
        let expected = WITH_SMALL_MODEL.contains(&id);
        assert_eq!(agent.takes_small_model(), expected, "{id}");
        seen += usize::from(expected);
    }
    assert_eq!(seen, WITH_SMALL_MODEL.len());
}
