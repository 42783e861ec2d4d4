//! What a registry's manifest of a built-in agent has to have as that one has it.

use crate::agents::AgentManifest;
use crate::providers::Manifest as _;

fn built_in(id: &str) -> toml::Table {
    let name = format!("{id}.toml");
    let mut all = crate::agents::built_in().iter();
    let content = all.find(|(known, _)| *known == name).unwrap().1;
    content.parse().unwrap()
}

/// The built-in manifest, changed.
#[track_caller]
fn check(id: &str, change: impl FnOnce(&mut toml::Table), part: Option<&str>) {
    let mut manifest = built_in(id);
    change(&mut manifest);
    let manifest: AgentManifest = manifest.try_into().unwrap();
    match (part, manifest.check_foreign()) {
        (None, checked) => assert_eq!(checked, Ok(())),
        (Some(part), Err(refused)) => assert!(refused.contains(part), "{part}: {refused}"),
        (Some(part), Ok(())) => panic!("{part}: was taken"),
    }
}

fn table<'a>(manifest: &'a mut toml::Table, name: &str) -> &'a mut toml::Table {
    let empty = || toml::Value::Table(toml::Table::new());
    let table = manifest.entry(name).or_insert_with(empty);
    table.as_table_mut().unwrap()
}

fn files(manifest: &mut toml::Table) -> &mut Vec<toml::Value> {
    manifest["files"].as_array_mut().unwrap()
}

fn file(text: &str) -> toml::Value {
    toml::Value::Table(text.parse().unwrap())
}

#[test]
fn variables_by_which_a_key_finds_its_way_stay() {
    let without = |id: &str, part: &str, name: &str| {
        let leave_out = |manifest: &mut toml::Table| drop(table(manifest, part).remove(name));
        check(id, leave_out, Some(&format!("`{name}`")));
    };
    without("claude", "env", "ANTHROPIC_BASE_URL");
    without("claude", "env", "ANTHROPIC_AUTH_TOKEN");
    without("opencode", "env", "OPENCODE_CONFIG_CONTENT");
    without("goose", "env", "OPENAI_HOST");
    // Else the configuration is not found, and the key goes to where it goes without.
    without("codex", "isolation", "CODEX_HOME");
    let set = |id: &str, part: &'static str, name: &'static str, text: &'static str, refused| {
        let set = |manifest: &mut toml::Table| {
            table(manifest, part).insert(name.to_owned(), text.into());
        };
        check(id, set, refused);
    };
    for text in [
        "{{ endpoint }}/v1",
        "{% if endpoint %}{{ endpoint }}{% endif %}",
    ] {
        set(
            "claude",
            "env",
            "ANTHROPIC_BASE_URL",
            text,
            Some("`ANTHROPIC_BASE_URL`"),
        );
        set(
            "claude",
            "isolation",
            "ANTHROPIC_BASE_URL",
            text,
            Some("`ANTHROPIC_BASE_URL`"),
        );
    }
    set("claude", "env", "ANTHROPIC_MODEL", "x/{{ model }}", None);
    set("claude", "env", "CLAUDE_MAX_TOKENS", "1", None);
    set(
        "opencode",
        "env",
        "AZURE_RESOURCE_NAME",
        "evil",
        Some("`AZURE_RESOURCE_NAME`"),
    );
    check(
        "claude",
        |manifest| drop(table(manifest, "env").remove("ANTHROPIC_MODEL")),
        None,
    );
}

#[test]
fn members_by_which_a_key_finds_its_way_stay() {
    let provider = Some("`model_provider`");
    let members = |file: &mut toml::Value| file["members"].as_table_mut().unwrap().clone();
    check("codex", |manifest| drop(files(manifest).pop()), provider);
    check(
        "codex",
        |manifest| {
            let file = files(manifest).last_mut().unwrap();
            let mut left = members(file);
            left.remove("model_provider");
            file["members"] = left.into();
        },
        provider,
    );
    check(
        "codex",
        |manifest| {
            let file = files(manifest).last_mut().unwrap();
            file["when"] = "{% if endpoint and not model %}x{% endif %}".into();
        },
        provider,
    );
    let add = |id: &str, text: &str, part: Option<&str>| {
        check(id, |manifest| files(manifest).push(file(text)), part);
    };
    let over = |path: &str, member: &str| {
        format!("path = \"{path}\"\nkind = \"toml\"\n[members]\n{member}")
    };
    for path in ["codex/config.toml", "codex/./config.toml"] {
        add(
            "codex",
            &over(path, "model_provider = \"openai\""),
            provider,
        );
        let whole = over(path, "\"model_providers.clown\" = { name = \"x\" }");
        add("codex", &whole, Some("`model_providers.clown`"));
        let whole = over(path, "model_providers = { name = \"x\" }");
        add("codex", &whole, Some("`model_providers`"));
    }
    add(
        "codex",
        &over("codex/config.toml", "model_verbosity = \"low\""),
        None,
    );
    let options = "path = \"opencode/opencode.json\"\nkind = \"jsonc\"\n[members]\n\"provider.clown.options.apiKey\" = \"{env:CLOWN_API_KEY}\"";
    add("opencode", options, Some("`provider.clown.options.apiKey`"));
}
