//! What the manifest of an agent may not do when it comes from a registry.
//!
//! Detection runs the program that a manifest names, unasked; a run sets the variables and the members
//! of configuration files that it names. None of these may become a way to run something else than
//! that program. What the built-in manifest of the same agent says may always be said again.

use super::{AgentManifest, McpFile};

/// What programs are asked their version with.
const VERSION_WORDS: [&str; 7] = [
    "--version",
    "-version",
    "version",
    "-V",
    "-v",
    "--no-color",
    "--no-update",
];

/// Variables by which loaders, shells and interpreters run other code, or find other programs.
const FORBIDDEN: [&str; 25] = [
    "PATH",
    "HOME",
    "SHELL",
    "IFS",
    "ENV",
    "BASH_ENV",
    "PROMPT_COMMAND",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PERL5LIB",
    "PERL5OPT",
    "RUBYLIB",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EXTERNAL_DIFF",
    "GIT_ASKPASS",
];
const FORBIDDEN_PREFIXES: [&str; 3] = ["LD_", "DYLD_", "GIT_CONFIG"];

/// Parts of the names by which agents are told what to run, load or fetch: a hook, a helper that prints
/// a key, a plugin, a server.
const RUNS_SOMETHING: [&str; 19] = [
    "command",
    "cmd",
    "exec",
    "hook",
    "script",
    "helper",
    "notify",
    "shell",
    "mcp",
    "plugin",
    "extension",
    "npm",
    "package",
    "statusline",
    "formatter",
    "lsp",
    "tool",
    "config_content",
    "editor",
];

/// All that a text of an `[mcp]` template may be, beside a short word.
const PLACEHOLDERS: [&str; 6] = [
    "{{ name }}",
    "{{ command }}",
    "{{ args }}",
    "{{ env }}",
    "{{ url }}",
    "{{ headers }}",
];

pub(super) fn check(manifest: &AgentManifest) -> Result<(), String> {
    let own = built_in(manifest.id.as_str());
    check_version(manifest)?;
    check_variables(manifest, own.as_ref())?;
    check_members(manifest, own.as_ref())?;
    match &manifest.mcp {
        Some(file) if own.and_then(|own| own.mcp).as_ref() != Some(file) => check_mcp(file),
        _ => Ok(()),
    }
}

/// The built-in manifest of this agent.
fn built_in(id: &str) -> Option<AgentManifest> {
    let name = format!("{id}.toml");
    let mut files = super::built_in().iter();
    let (_, content) = files.find(|(file, _)| *file == name)?;
    // A test reads all of them.
    toml::from_str(content).ok()
}

fn check_version(manifest: &AgentManifest) -> Result<(), String> {
    let strange = |arg: &&String| !VERSION_WORDS.contains(&arg.as_str());
    match manifest.version.args.iter().find(strange) {
        Some(arg) => Err(format!(
            "`version.args` has `{arg}`: a manifest of a registry asks a program with no other words than {}",
            VERSION_WORDS.join(", ")
        )),
        None => Ok(()),
    }
}

fn check_variables(manifest: &AgentManifest, own: Option<&AgentManifest>) -> Result<(), String> {
    let isolation = manifest.isolation.iter().map(|(name, template)| {
        let known = own.is_some_and(|own| own.isolation.get(name) == Some(template));
        (name, template.as_str(), known)
    });
    let env = manifest.env.iter().map(|(name, template)| {
        let known = own.is_some_and(|own| own.env.get(name) == Some(template));
        (name, template.as_str(), known)
    });
    for (name, text, known) in isolation.chain(env) {
        let name = name.as_str();
        if known {
            continue;
        }
        if is_forbidden(&name) || runs_something(name) {
            return Err(format!(
                "it sets `{name}`, by which other programs could be run: a manifest of a registry must not. {TRUST}"
            ));
        }
        if text.contains(['"', '\n']) {
            return Err(format!(
                "`{name}` is set to a text with a quotation mark or a line break, as a whole configuration would be: a manifest of a registry must not. {TRUST}"
            ));
        }
    }
    Ok(())
}

fn check_members(manifest: &AgentManifest, own: Option<&AgentManifest>) -> Result<(), String> {
    for file in &manifest.files {
        for (path, value) in &file.members {
            let known = own.is_some_and(|own| {
                let mut files = own.files.iter();
                files.any(|it| it.path == file.path && it.members.get(path) == Some(value))
            });
            let mut names = path.names().iter().map(|name| name.as_str());
            if known {
                continue;
            }
            let found = names
                .find(|name| runs_something(name))
                .map(str::to_owned)
                .or_else(|| name_in(value.as_toml()));
            if let Some(name) = found {
                return Err(format!(
                    "it sets `{name}` in {}, by which something could be run: a manifest of a registry must not. {TRUST}",
                    file.path.as_str()
                ));
            }
        }
    }
    Ok(())
}

/// A name within a value by which something could be run.
fn name_in(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::Array(items) => items.iter().find_map(name_in),
        toml::Value::Table(table) => table.iter().find_map(|(name, value)| {
            if runs_something(name) {
                Some(name.clone())
            } else {
                name_in(value)
            }
        }),
        _ => None,
    }
}

fn check_mcp(file: &McpFile) -> Result<(), String> {
    for template in file.stdio.iter().chain(&file.http) {
        let table = toml::Value::Table(template.as_toml().clone());
        if let Some(text) = strange_text(&table) {
            return Err(format!(
                "`mcp` makes `{text}` a part of each server: a manifest of a registry puts in what a profile says, and short words. {TRUST}"
            ));
        }
    }
    Ok(())
}

/// A text that is no placeholder and no short word.
fn strange_text(value: &toml::Value) -> Option<&str> {
    match value {
        toml::Value::String(text) => {
            let word =
                text.len() <= 20 && text.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
            let plain = PLACEHOLDERS.contains(&text.as_str()) || word;
            (!plain).then_some(text)
        }
        toml::Value::Array(items) => items.iter().find_map(strange_text),
        toml::Value::Table(table) => table.iter().find_map(|(name, value)| match value {
            // A word would do as a program, too.
            toml::Value::String(text)
                if runs_something(name) && !PLACEHOLDERS.contains(&text.as_str()) =>
            {
                Some(text.as_str())
            }
            toml::Value::Array(items) if runs_something(name) => items
                .iter()
                .filter_map(|item| item.as_str())
                .find(|text| !PLACEHOLDERS.contains(text)),
            value => strange_text(value),
        }),
        _ => None,
    }
}

/// What a person can do who wants it all the same.
const TRUST: &str = "Put it into agents.d yourself if you trust it";

fn runs_something(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RUNS_SOMETHING.iter().any(|part| name.contains(part))
}

fn is_forbidden(name: &&str) -> bool {
    FORBIDDEN.contains(name)
        || FORBIDDEN_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{Catalog, Manifest as _};
    use std::path::Path;

    #[test]
    fn the_built_in_ones_could_come_from_a_registry() {
        let catalog: Catalog<AgentManifest> = crate::agents::load(Path::new("/nonexistent"));
        for manifest in catalog.all() {
            assert_eq!(manifest.check_foreign(), Ok(()), "{}", manifest.id.as_str());
        }
    }

    #[test]
    fn what_would_run_something_else_is_refused() {
        let check = |args: &str, variable: &str, part: Option<&str>| {
            let text = format!(
                "id = \"x\"\nname = \"X\"\nbinaries = [\"sh\"]\n[version]\nargs = {args}\npattern = '(x)'\n\
                 [env]\n{variable} = \"y\"\n"
            );
            let manifest: AgentManifest = toml::from_str(&text).unwrap();
            let refused = manifest.check_foreign().err();
            match part {
                None => assert_eq!(refused, None, "{text}"),
                Some(part) => assert!(refused.unwrap().contains(part), "{text}"),
            }
        };
        check("[\"--version\"]", "X_KEY", None);
        check("[\"-c\", \"reboot\"]", "X_KEY", Some("-c"));
        check("[\"--version\"]", "LD_PRELOAD", Some("LD_PRELOAD"));
        check("[\"--version\"]", "NODE_OPTIONS", Some("NODE_OPTIONS"));
        check("[\"--version\"]", "PATH", Some("PATH"));
        check("[\"--version\"]", "X_PLUGIN_DIR", Some("X_PLUGIN_DIR"));
    }

    #[test]
    fn no_member_and_no_server_may_bring_a_command() {
        let check = |id: &str, more: &str, part: Option<&str>| {
            let text = format!(
                "id = \"{id}\"\nname = \"X\"\nbinaries = [\"x\"]\n[version]\nargs = [\"--version\"]\npattern = '(x)'\n{more}"
            );
            let manifest: AgentManifest = toml::from_str(&text).unwrap();
            let refused = manifest.check_foreign().err();
            match part {
                None => assert_eq!(refused, None, "{text}"),
                Some(part) => {
                    let refused = refused.unwrap_or_else(|| panic!("taken: {text}"));
                    assert!(
                        refused.contains(part) && refused.contains("agents.d"),
                        "{refused}"
                    );
                }
            }
        };
        let file = |members: &str| {
            format!(
                "[[files]]\npath = \"claude/settings.json\"\nkind = \"json\"\n[files.members]\n{members}\n"
            )
        };
        check("x", &file("\"model\" = \"{{ model }}\""), None);
        check(
            "x",
            &file("\"apiKeyHelper\" = \"sh\""),
            Some("apiKeyHelper"),
        );
        check(
            "x",
            &file("\"a.b\" = [{ hooks = [{ type = \"command\", command = \"sh\" }] }]"),
            Some("hooks"),
        );
        check("x", &file("\"notify\" = [\"sh\"]"), Some("notify"));
        check(
            "opencode",
            &file("\"provider.x.npm\" = \"evil\""),
            Some("npm"),
        );
        let env = |text: &str| format!("[env]\nX_SETTINGS = '{text}'\n");
        check("x", &env("{{ home }}/x"), None);
        check("x", &env("{\"a\": 1}"), Some("X_SETTINGS"));
        check(
            "opencode",
            "[env]\nOPENCODE_CONFIG_CONTENT = '{}'\n",
            Some("OPENCODE_CONFIG_CONTENT"),
        );
        let mcp = |stdio: &str| {
            format!(
                "[mcp]\nfile = \"x.json\"\nkind = \"json\"\nmember = \"servers\"\nstdio = {stdio}\n"
            )
        };
        let fine = "{ type = \"stdio\", command = \"{{ command }}\", args = \"{{ args }}\" }";
        check("x", &mcp(fine), None);
        check(
            "x",
            &mcp("{ command = [\"{{ command }}\", \"{{ args }}\"] }"),
            None,
        );
        check("x", &mcp("{ command = \"sh\" }"), Some("`sh`"));
        check(
            "x",
            &mcp("{ command = [\"sh\", \"{{ command }}\"] }"),
            Some("`sh`"),
        );
        check(
            "x",
            &mcp("{ command = \"{{ command }}\", args = [\"-c reboot\"] }"),
            Some("-c reboot"),
        );
    }
}
