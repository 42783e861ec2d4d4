use super::plan_tests::{Case, check_env};
use super::{LaunchError, check};
use std::collections::BTreeMap;

fn refusal(agent: &str, provider: &str, env: &[(&str, &str)]) -> Option<String> {
    let case = Case::new();
    let agents: Vec<_> = case.agents.all().cloned().collect();
    let agent = case.agents.get(agent).unwrap();
    let mut providers = case.providers.iter();
    let provider = providers
        .find(|found| found.id.as_str() == provider)
        .unwrap();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let env: BTreeMap<_, _> = env.iter().map(owned).collect();
    let all = (&agents[..], &case.providers[..]);
    let checked = check(agent, provider, None, &env, all.0, all.1, false);
    checked.err().map(|error| error.to_string())
}

#[test]
fn what_would_work_is_proposed_on_both_sides_and_can_be_read() {
    let text = refusal("codex", "mistral", &[]).unwrap();
    let begin = "codex cannot use the provider mistral: they have no wire format in common; codex works with azure-openai, ";
    assert!(text.starts_with(begin), "{text}");
    assert!(
        text.contains(" more; mistral works with aider, ")
            && text.ends_with(
                " more. A proxy of the profile translates between them: proxy_config.enabled=true"
            ),
        "{text}"
    );
    assert!(text.len() < 450, "{text}");
    assert_eq!(refusal("opencode", "mistral", &[]), None);
}

#[test]
fn an_address_is_made_whole_by_the_profiles_variables() {
    let check = |env: &[(&str, &str)], expected: Option<&str>| {
        assert_eq!(refusal("codex", "azure-openai", env).as_deref(), expected);
    };
    check(
        &[],
        Some(
            "the address of azure-openai needs the name of your Azure resource: set AZURE_RESOURCE_NAME in the profile's env, for example with --env AZURE_RESOURCE_NAME=my-resource",
        ),
    );
    check(
        &[("AZURE_RESOURCE_NAME", "evil.example/")],
        Some(
            "the address of azure-openai needs the name of your Azure resource, of letters, digits, hyphens, dots and underscores: set AZURE_RESOURCE_NAME in the profile's env, for example with --env AZURE_RESOURCE_NAME=my-resource",
        ),
    );
    check(&[("AZURE_RESOURCE_NAME", "ours")], None);

    let mut case = Case::new();
    let error = case.plan("claude", "azure-openai", |_| ()).unwrap_err();
    assert!(matches!(error, LaunchError::AddressIncomplete { .. }));
    case.env
        .insert("AZURE_RESOURCE_NAME".to_owned(), "ours".to_owned());
    let plan = case.plan("claude", "azure-openai", |_| ()).unwrap();
    let url = "https://ours.services.ai.azure.com/anthropic";
    check_env(&plan, &[("ANTHROPIC_BASE_URL", Some(url))]);
}

#[test]
fn every_agent_can_be_started_with_every_provider_that_it_shares_a_format_with() {
    let mut case = Case::new();
    for (name, value) in [
        ("AZURE_RESOURCE_NAME", "ours"),
        ("AWS_REGION", "eu-west-1"),
        ("GOOGLE_CLOUD_PROJECT", "ours"),
        ("GOOGLE_CLOUD_LOCATION", "europe-west1"),
    ] {
        case.env.insert(name.to_owned(), value.to_owned());
    }
    for agent in case.agents.all() {
        for provider in &case.providers {
            let (agent, provider) = (agent.id.as_str(), provider.id.as_str());
            match case.plan(agent, provider, |_| ()) {
                Ok(_) | Err(LaunchError::NoSharedFormat { .. }) => {}
                Err(error) => panic!("{agent} with {provider}: {error}"),
            }
        }
    }
}

#[test]
fn with_a_proxy_between_them_they_need_share_no_format() {
    let case = Case::new();
    let through = "http://127.0.0.1:8081";
    let plan = case.plan("codex", "mistral", |input| input.through = Some(through));
    let (_, members) = super::plan_tests::file(&plan.unwrap());
    assert_eq!(
        members["model_providers clown base_url"],
        "http://127.0.0.1:8081/v1"
    );
    let plan = case.plan("claude", "openai", |input| input.through = Some(through));
    check_env(&plan.unwrap(), &[("ANTHROPIC_BASE_URL", Some(through))]);
    // What nobody translates stays refused.
    let refused = case.plan("gemini", "mistral", |input| input.through = Some(through));
    let refused = refused.unwrap_err();
    assert!(
        matches!(
            refused,
            LaunchError::NoSharedFormat {
                could_translate: false,
                ..
            }
        ),
        "{refused}"
    );
}
