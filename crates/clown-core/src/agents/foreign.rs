//! What the manifest of an agent may not do when it comes from a registry.
//!
//! Detection runs the program that a manifest names, unasked, and a run sets the variables that it
//! names. Neither may become a way to run something else than that program.

use super::AgentManifest;

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

pub(super) fn check(manifest: &AgentManifest) -> Result<(), String> {
    let strange = |arg: &&String| !VERSION_WORDS.contains(&arg.as_str());
    if let Some(arg) = manifest.version.args.iter().find(strange) {
        return Err(format!(
            "`version.args` has `{arg}`: a manifest of a registry asks a program with no other words than {}",
            VERSION_WORDS.join(", ")
        ));
    }
    let names = manifest.isolation.keys().chain(manifest.env.keys());
    match names.map(|name| name.as_str()).find(is_forbidden) {
        Some(name) => Err(format!(
            "it sets `{name}`, by which other programs could be run: a manifest of a registry must not"
        )),
        None => Ok(()),
    }
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
    }
}
