//! What the manifest of an agent may not do when it comes from a registry.
//!
//! Detection runs the program that a manifest names, unasked; a run sets the variables that it names
//! and writes the files. None of that may become a way to run something else than that program. What
//! the built-in manifest of the same id has too is not looked at.

use super::manifest::{BinaryName, ConfigFile};
use super::{AgentManifest, McpFile, McpTemplate, MemberPath};
use crate::foreign::{
    is_address, is_below_home, is_endpoint, is_place, is_plain, refused_member, refused_part,
    refused_template, refused_variable,
};
use crate::providers::Catalog;
use std::path::Path;
use std::sync::LazyLock;

/// How a refusal ends.
const REMEDY: &str = "put it into agents.d yourself if you trust it";

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

/// What a text of a server becomes something by.
const SERVER_VALUES: [&str; 6] = [
    "{{ name }}",
    "{{ command }}",
    "{{ args }}",
    "{{ env }}",
    "{{ url }}",
    "{{ headers }}",
];

static BUILT_IN: LazyLock<Catalog<AgentManifest>> =
    LazyLock::new(|| Catalog::load(&super::BUILT_IN, Path::new("")));

/// Whether a built-in agent is told something by this variable, or chooses account, endpoint or model
/// by it.
pub(crate) fn is_minded_by_built_in(variable: &str) -> bool {
    BUILT_IN.all().any(|agent| {
        let mut clears = agent.clears.iter();
        variable_of(agent, variable).is_some() || clears.any(|it| it.matches(variable))
    })
}

pub(super) fn check(manifest: &AgentManifest) -> Result<(), String> {
    let strange = |arg: &&String| !VERSION_WORDS.contains(&arg.as_str());
    if let Some(arg) = manifest.version.args.iter().find(strange) {
        return Err(format!(
            "`version.args` has `{arg}`: a manifest of a registry asks a program with no other words than {}",
            VERSION_WORDS.join(", ")
        ));
    }
    let checked = Checked {
        manifest,
        known: BUILT_IN.get(manifest.id.as_str()).map(AsRef::as_ref),
    };
    checked.check_binaries()?;
    checked.check_default_model()?;
    checked.check_variables()?;
    for file in &manifest.files {
        checked.check_file(file)?;
    }
    match &manifest.mcp {
        Some(mcp) => checked.check_mcp(mcp),
        None => Ok(()),
    }
}

struct Checked<'a> {
    manifest: &'a AgentManifest,
    /// The built-in one of the same id.
    known: Option<&'a AgentManifest>,
}

impl Checked<'_> {
    /// Profiles of a built-in agent would start it, with all that they say to that agent.
    fn check_binaries(&self) -> Result<(), String> {
        let Some(known) = self.known else {
            return Ok(());
        };
        let is_strange = |name: &&BinaryName| !known.binaries.iter().any(|own| own == *name);
        match self.manifest.binaries.iter().find(is_strange) {
            Some(name) => Err(refusal(
                name.as_str(),
                "be the program of a built-in agent",
                "profiles would start it in the place of that agent's own",
            )),
            None => Ok(()),
        }
    }

    /// Templates fill it into variables and files.
    fn check_default_model(&self) -> Result<(), String> {
        match &self.manifest.default_model {
            Some(model) if !is_plain(model) => Err(refusal(
                "default_model",
                "be a text with such signs",
                "it stands in variables and files",
            )),
            _ => Ok(()),
        }
    }

    fn check_variables(&self) -> Result<(), String> {
        for (name, template) in variables_of(self.manifest) {
            if self.known.and_then(|known| variable_of(known, name)) == Some(template) {
                continue;
            }
            if let Some(reason) = refused_variable(name, self.manifest.id.as_str()) {
                return Err(refusal(name, "be set", reason));
            }
            if is_place(name) && !is_below_home(template) {
                return Err(refusal(
                    name,
                    "be set to this text",
                    "a file or folder is below `{{ home }}`",
                ));
            }
            self.check_text(name, name, template)?;
        }
        Ok(())
    }

    fn check_file(&self, file: &ConfigFile) -> Result<(), String> {
        let path = file.path.as_str();
        let known: Vec<&ConfigFile> = self
            .known
            .iter()
            .flat_map(|known| &known.files)
            .filter(|known| known.path == file.path && known.kind == file.kind)
            .collect();
        let segments = || path.split(['/', '.']);
        if let Some(reason) = segments().find_map(refused_part)
            && known.is_empty()
        {
            return Err(refusal(path, "be written", reason));
        }
        if path.split('/').any(|segment| segment.starts_with(".git")) && known.is_empty() {
            return Err(refusal(
                path,
                "be written",
                "git runs programs by its files",
            ));
        }
        if let Some(when) = &file.when
            && !known.iter().any(|known| known.when.as_ref() == Some(when))
        {
            self.check_text("when", "when", when.as_str())?;
        }
        for (member, value) in &file.members {
            if known
                .iter()
                .any(|known| known.members.get(member) == Some(value))
            {
                continue;
            }
            let at = text_of(member);
            for name in member.names() {
                self.check_name(&at, name.as_str())?;
            }
            let last = member.names().last().map_or("", |name| name.as_str());
            self.check_value(&at, last, value.as_toml())?;
        }
        Ok(())
    }

    /// `at` is the way to it, for people; `name` the member that it is of.
    fn check_value(&self, at: &str, name: &str, value: &toml::Value) -> Result<(), String> {
        match value {
            toml::Value::String(text) => self.check_text(at, name, text),
            toml::Value::Array(items) => items
                .iter()
                .try_for_each(|item| self.check_value(at, name, item)),
            toml::Value::Table(members) => members.iter().try_for_each(|(name, value)| {
                let at = format!("{at}.{name}");
                self.check_name(&at, name)?;
                self.check_value(&at, name, value)
            }),
            _ => Ok(()),
        }
    }

    fn check_text(&self, at: &str, name: &str, text: &str) -> Result<(), String> {
        let is_own = |name: &str| self.manifest.env.keys().any(|own| own.as_str() == name);
        if let Some(reason) = refused_template(text, is_own) {
            return Err(refusal(at, "be set to this text", reason));
        }
        // Where an agent takes a key from: only what the run gives it.
        let is_variable = text.contains('_')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        if is_variable && !is_own(text) {
            return Err(refusal(
                at,
                "be set to this text",
                "it names a variable that the manifest does not set",
            ));
        }
        if is_address(name) && !is_endpoint(text) {
            return Err(refusal(
                at,
                "be set to this text",
                "an address is `{{ endpoint }}`, perhaps with a path behind it",
            ));
        }
        Ok(())
    }

    fn check_mcp(&self, mcp: &McpFile) -> Result<(), String> {
        if self.known.and_then(|known| known.mcp.as_ref()) == Some(mcp) {
            return Ok(());
        }
        for (name, server) in [("stdio", &mcp.stdio), ("http", &mcp.http)] {
            for (member, value) in server.iter().flat_map(McpTemplate::as_toml) {
                self.check_server(&format!("mcp.{name}.{member}"), member, value)?;
            }
        }
        Ok(())
    }

    fn check_server(&self, at: &str, name: &str, value: &toml::Value) -> Result<(), String> {
        let texts = |value: &toml::Value| match value {
            toml::Value::String(text) => Some(vec![text.clone()]),
            toml::Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(ToOwned::to_owned))
                .collect(),
            _ => None,
        };
        // What these hold is what the profile's server has.
        let whole: &[&[&str]] = match name {
            "command" => &[&["{{ command }}"], &["{{ command }}", "{{ args }}"]],
            "args" => &[&["{{ args }}"]],
            "env" | "environment" => &[&["{{ env }}"]],
            _ => &[],
        };
        if !whole.is_empty() {
            return match texts(value) {
                Some(texts)
                    if whole.contains(
                        &texts
                            .iter()
                            .map(String::as_str)
                            .collect::<Vec<_>>()
                            .as_slice(),
                    ) =>
                {
                    Ok(())
                }
                _ => Err(refusal(
                    at,
                    "be anything but its placeholder",
                    "servers are a profile's own",
                )),
            };
        }
        self.check_name(at, name)?;
        match value {
            toml::Value::String(text)
                if SERVER_VALUES.contains(&text.as_str()) || is_word(text) =>
            {
                Ok(())
            }
            toml::Value::String(_) => Err(refusal(
                at,
                "be anything but a placeholder or a word",
                "servers are a profile's own",
            )),
            toml::Value::Array(items) => items
                .iter()
                .try_for_each(|item| self.check_server(at, name, item)),
            toml::Value::Table(members) => members.iter().try_for_each(|(name, value)| {
                self.check_server(&format!("{at}.{name}"), name, value)
            }),
            _ => Ok(()),
        }
    }

    fn check_name(&self, at: &str, name: &str) -> Result<(), String> {
        if !is_plain(name) {
            return Err(refusal(at, "be set", "its name is more than plain text"));
        }
        if let Some(reason) = refused_member(name, self.manifest.id.as_str()) {
            return Err(refusal(at, "be set", reason));
        }
        Ok(())
    }
}

fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphabetic() || byte == b'-';
    !text.is_empty() && text.len() <= 24 && !text.starts_with('-') && text.bytes().all(fits)
}

fn refusal(what: &str, verb: &str, reason: &str) -> String {
    format!("`{what}` must not {verb} by a manifest of a registry: {reason}; {REMEDY}")
}

fn variables_of(manifest: &AgentManifest) -> impl Iterator<Item = (&str, &str)> {
    let isolation = manifest.isolation.iter();
    let isolation = isolation.map(|(name, template)| (name.as_str(), template.as_str()));
    let env = manifest.env.iter();
    isolation.chain(env.map(|(name, template)| (name.as_str(), template.as_str())))
}

fn variable_of<'a>(manifest: &'a AgentManifest, name: &str) -> Option<&'a str> {
    variables_of(manifest)
        .find(|(known, _)| *known == name)
        .map(|(_, template)| template)
}

fn text_of(member: &MemberPath) -> String {
    let names: Vec<&str> = member.names().iter().map(|name| name.as_str()).collect();
    names.join(".")
}
