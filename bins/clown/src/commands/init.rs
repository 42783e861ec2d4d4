use crate::context::Context;
use crate::failure::{CONFLICT, FAILED, Failure, USAGE};
use crate::key_args::{self, KeyArgs};
use crate::output::note;
use crate::prompt;
use clap::Args;
use clown_api::{Agent, CreateProfile, KeyInput, Profile, Provider};
use clown_client::Client;
use std::collections::BTreeMap;

/// The provider that stands for the agent's own login.
const OWN_LOGIN: &str = "self";

/// What is not given as a flag is asked, or with --yes has a default.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Ask nothing: take what the flags say, and defaults for the rest
    #[arg(long, short)]
    yes: bool,
    /// The profile's name [default: the agent's id]
    #[arg(long, value_parser = crate::cli::alias)]
    alias: Option<String>,
    /// The agent [default: the first that is installed]
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// The provider [default: self, the agent's own login]
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// The model [default: the provider's, else the agent's]
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
}

/// Makes a first profile, step by step.
pub(crate) async fn init(context: &Context, args: InitArgs) -> anyhow::Result<()> {
    let asks = !args.yes;
    if asks && !prompt::is_possible() {
        let text = "init asks questions and needs a terminal; in a script, use --yes";
        return Err(Failure::new(USAGE, text).into());
    }
    let client = context.daemon().await?;
    let agents = client.detect_agents().await?;
    let agent = choose_agent(&agents, args.agent, asks)?;
    let providers = client.providers().await?;
    let provider = choose_provider(&providers, args.provider, asks)?;
    let key = match args.key.read()? {
        Some(key) => Some(key),
        None if asks && provider.key_required => ask_key(provider)?,
        None => default_key(provider),
    };
    let model = match args.model {
        None if asks && provider.id != OWN_LOGIN => {
            let default = provider.default_model.as_deref().unwrap_or_default();
            let model = prompt::line("Model", default)?;
            // The default stays the provider's to name.
            (model != default).then_some(model)
        }
        given => given,
    };
    let env = match asks {
        true => ask_for_address(provider)?,
        false => BTreeMap::new(),
    };
    let taken = client.profiles().await?;
    let alias = match args.alias {
        Some(alias) => alias,
        None if asks => ask_alias(&agent.id, &taken)?,
        None => free_alias(&agent.id, &taken),
    };

    let mut request = CreateProfile::new(alias, agent.id.clone());
    request.provider_id = Some(provider.id.clone());
    request.model = model;
    request.env = env;
    request.key = key;
    let profile = create(&client, &request).await?;
    if context.output.is_json() {
        return context.output.json(&profile);
    }
    super::profiles::say_created(context.output, &profile)?;
    let run = format!("clown run {}", profile.alias);
    context.output.line(format_args!(
        "\nNext:\n  {run}  runs {} here\n  {:width$}  shows what happens, in another terminal",
        agent.name,
        "clown watch",
        width = run.len(),
    ))
}

async fn create(client: &Client, request: &CreateProfile) -> anyhow::Result<Profile> {
    client.create_profile(request).await.map_err(|error| {
        if error.code() == Some("profile_exists") {
            let text = format!(
                "there is a profile {:?} already; choose another name with --alias",
                request.alias
            );
            return Failure::new(CONFLICT, text).into();
        }
        error.into()
    })
}

fn choose_agent(agents: &[Agent], given: Option<String>, asks: bool) -> anyhow::Result<&Agent> {
    let ids = || {
        agents
            .iter()
            .map(|agent| agent.id.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if let Some(id) = given {
        return agents.iter().find(|agent| agent.id == id).ok_or_else(|| {
            Failure::new(
                USAGE,
                format!("there is no agent {id:?}; there are {}", ids()),
            )
            .into()
        });
    }
    let installed: Vec<&Agent> = agents.iter().filter(|agent| agent.installed).collect();
    // One that does not tell its version may not work at all.
    let works = |agent: &&Agent| agent.version.as_deref().is_some_and(|it| it != "unknown");
    let first = installed.iter().copied().find(works);
    let Some(first) = first.or(installed.first().copied()) else {
        let mut text = "no coding agent is installed; install one and try again:".to_owned();
        for agent in agents {
            if let Some(hint) = &agent.install_hint {
                text.push_str(&format!("\n  {:14} {hint}", agent.name));
            }
        }
        return Err(Failure::new(FAILED, text).into());
    };
    if !asks || installed.len() == 1 {
        let version = first.version.as_deref().unwrap_or("unknown");
        note(format_args!("Agent: {} {version}", first.name));
        return Ok(first);
    }
    note("Which agent?");
    let options: Vec<_> = installed
        .iter()
        .map(|agent| {
            let version = agent.version.as_deref().unwrap_or("unknown");
            (agent.id.clone(), format!("{} {version}", agent.name))
        })
        .collect();
    let chosen = prompt::choice("Agent", &options)?;
    Ok(installed
        .into_iter()
        .find(|agent| agent.id == chosen)
        .unwrap_or(first))
}

fn choose_provider(
    providers: &[Provider],
    given: Option<String>,
    asks: bool,
) -> anyhow::Result<&Provider> {
    let by_id = |id: &str| providers.iter().find(|provider| provider.id == id);
    let wanted = match given {
        Some(id) => id,
        None if asks => {
            note("Who answers the agent's requests?");
            let mut options: Vec<_> = providers
                .iter()
                .map(|provider| (provider.id.clone(), provider.name.clone()))
                .collect();
            options.sort_by_key(|(id, _)| id != OWN_LOGIN);
            prompt::choice("Provider", &options)?
        }
        None => OWN_LOGIN.to_owned(),
    };
    by_id(&wanted).ok_or_else(|| {
        let ids: Vec<_> = providers
            .iter()
            .map(|provider| provider.id.as_str())
            .collect();
        let text = format!(
            "there is no provider {wanted:?}; there are {}",
            ids.join(", ")
        );
        Failure::new(USAGE, text).into()
    })
}

/// What the provider's address needs of the person, as the variables that give it.
fn ask_for_address(provider: &Provider) -> anyhow::Result<BTreeMap<String, String>> {
    let is_default = |id: &str| provider.default_endpoint.as_deref() == Some(id);
    let endpoint = provider.endpoints.iter().find(|it| is_default(&it.id));
    let urls = || endpoint.iter().flat_map(|endpoint| endpoint.urls.values());
    let mut env = BTreeMap::new();
    for placeholder in &provider.placeholders {
        let named = format!("{{{}}}", placeholder.variable);
        if urls().any(|url| url.contains(&named)) {
            let question = format!(
                "{} needs {}, such as {}",
                provider.name, placeholder.about, placeholder.example
            );
            let value = answered(&question)?;
            env.insert(placeholder.variable.clone(), value);
        }
    }
    Ok(env)
}

/// Without any word on it, a key is where people usually keep it.
fn default_key(provider: &Provider) -> Option<KeyInput> {
    provider
        .key_env
        .clone()
        .filter(|_| provider.key_required)
        .map(KeyInput::Env)
}

fn ask_key(provider: &Provider) -> anyhow::Result<Option<KeyInput>> {
    let variable = provider.key_env.as_deref().unwrap_or("API_KEY");
    note(format_args!("Where is the key for {}?", provider.name));
    let option = |name: &str, about: String| (name.to_owned(), about);
    let options = [
        option(
            "variable",
            format!("in a variable of my shell, such as {variable}"),
        ),
        option(
            "keep",
            "I type it now; it is kept in the system keyring, or else in a private file".to_owned(),
        ),
        option(
            "command",
            "a command prints it, such as: pass show work".to_owned(),
        ),
        option("file", "in a file".to_owned()),
        option("none", "I set it later".to_owned()),
    ];
    Ok(match prompt::choice("Key", &options)?.as_str() {
        "variable" => Some(KeyInput::Env(prompt::line("Variable", variable)?)),
        "keep" => Some(KeyInput::Value(prompt::hidden("Key (not shown): ")?)),
        "command" => Some(KeyInput::Command(answered("Command")?)),
        "file" => Some(key_args::file(answered("File")?.as_ref())?),
        _ => None,
    })
}

fn answered(question: &str) -> anyhow::Result<String> {
    loop {
        let answer = prompt::line(question, "")?;
        if !answer.is_empty() {
            return Ok(answer);
        }
    }
}

fn ask_alias(agent_id: &str, taken: &[Profile]) -> anyhow::Result<String> {
    let default = free_alias(agent_id, taken);
    loop {
        let answer = prompt::line("Name of the profile", &default)?;
        if taken.iter().any(|profile| profile.alias == answer) {
            note(format_args!("There is a profile {answer} already."));
            continue;
        }
        match crate::cli::alias(&answer) {
            Ok(alias) => return Ok(alias),
            Err(why) => note(why),
        }
    }
}

/// The agent's id, or with a number where a profile has that name.
fn free_alias(agent_id: &str, taken: &[Profile]) -> String {
    let is_taken = |alias: &str| taken.iter().any(|profile| profile.alias == alias);
    let numbered = (2..).map(|number| format!("{agent_id}-{number}"));
    std::iter::once(agent_id.to_owned())
        .chain(numbered)
        .find(|alias| !is_taken(alias))
        .unwrap_or_else(|| agent_id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(alias: &str) -> Profile {
        let text = format!(
            r#"{{"alias":"{alias}","agent_id":"a","provider_id":"self","env":{{}},"args":[],
                "created_at":"2026-01-08T10:30:00Z","updated_at":"2026-01-08T10:30:00Z"}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn agent(id: &str, installed: bool) -> Agent {
        Agent {
            id: id.to_owned(),
            name: id.to_owned(),
            installed,
            version: None,
            binary_path: None,
            profiles: Vec::new(),
            install_hint: Some(format!("install {id}")),
            hooks: None,
        }
    }

    #[test]
    fn the_alias_is_the_agents_id_or_the_next_free() {
        let check = |taken: &[&str], expected: &str| {
            let taken: Vec<_> = taken.iter().map(|alias| profile(alias)).collect();
            assert_eq!(free_alias("claude", &taken), expected);
        };
        check(&[], "claude");
        check(&["work"], "claude");
        check(&["claude"], "claude-2");
        check(&["claude", "claude-2"], "claude-3");
    }

    #[test]
    fn without_questions_the_first_installed_agent_is_taken() {
        let agents = [
            agent("claude", false),
            agent("codex", true),
            agent("gemini", true),
        ];
        let check = |given: Option<&str>, expected: Option<&str>| {
            let chosen = choose_agent(&agents, given.map(str::to_owned), false).ok();
            assert_eq!(chosen.map(|agent| agent.id.as_str()), expected);
        };
        check(None, Some("codex"));
        check(Some("gemini"), Some("gemini"));
        // One that is not installed yet may be prepared for.
        check(Some("claude"), Some("claude"));
        check(Some("nope"), None);
        let mut later = agents.clone();
        later[2].version = Some("0.61.0".to_owned());
        let chosen = choose_agent(&later, None, false).unwrap();
        assert_eq!(chosen.id, "gemini", "the one that tells its version");
        let none = choose_agent(&agents[..1], None, false)
            .unwrap_err()
            .to_string();
        assert!(none.contains("install claude"), "{none}");
    }
}
