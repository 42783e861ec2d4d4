//! What the manifest of an agent may not do when it comes from a registry.
//!
//! Detection runs the program that a manifest names, unasked; a run sets the variables that it names
//! and writes the files. None of that may become a way to run something else than that program. What
//! the built-in manifest of the same id has too is not looked at.

mod files;
mod kept;
mod limits;
mod programs;
mod servers;

use super::AgentManifest;
use crate::foreign::{
    CAPITALS, Refusals, has_capitals, is_address, is_below_home, is_endpoint, is_place, is_plain,
    refused_member, refused_template, refused_variable,
};
use crate::providers::{Catalog, fills_address_of_built_in};
use std::path::Path;
use std::sync::LazyLock;

/// How a refusal ends.
const REMEDY: &str = "put it into agents.d yourself if you trust it";

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

/// Tells all that is refused, so that whoever makes a registry need not come again for each.
pub(super) fn check(manifest: &AgentManifest) -> Result<(), String> {
    let mut refusals = Refusals::default();
    limits::check(manifest, &mut refusals);
    if !refusals.is_empty() {
        // Nobody waits for what else is wrong with one without an end.
        return refusals.told(REMEDY);
    }
    let known = BUILT_IN.get(manifest.id.as_str()).map(AsRef::as_ref);
    programs::check(manifest, known, &mut refusals);
    if let Some(known) = known {
        kept::check(manifest, known, &mut refusals);
    }
    let mut checked = Checked {
        manifest,
        known,
        refusals,
    };
    if has_capitals(manifest.id.as_str()) {
        checked.refuse(manifest.id.as_str(), "be an id", CAPITALS);
    }
    checked.check_default_model();
    checked.check_variables();
    for file in &manifest.files {
        checked.check_file(file);
    }
    if let Some(hooks) = &manifest.hooks {
        checked.check_hooks(hooks);
    }
    if let Some(mcp) = &manifest.mcp {
        checked.check_mcp(mcp);
    }
    checked.refusals.told(REMEDY)
}

struct Checked<'a> {
    manifest: &'a AgentManifest,
    /// The built-in one of the same id.
    known: Option<&'a AgentManifest>,
    refusals: Refusals,
}

impl Checked<'_> {
    /// Templates fill it into variables and files.
    fn check_default_model(&mut self) {
        let model = self.manifest.default_model.as_ref();
        if model.is_some_and(|model| !is_plain(model)) {
            self.refuse(
                "default_model",
                "be a text with such signs",
                "it stands in variables and files",
            );
        }
    }

    fn check_variables(&mut self) {
        for (name, template) in variables_of(self.manifest) {
            if self.known.and_then(|known| variable_of(known, name)) == Some(template) {
                continue;
            }
            if let Some(reason) = refused_variable(name, self.manifest.id.as_str()) {
                self.refuse(name, "be set", reason);
            } else if fills_address_of_built_in(name) {
                self.refuse(name, "be set", "addresses of a provider are made with it");
            } else if is_place(name) && !is_below_home(template) {
                let reason = "a file or folder is below `{{ home }}`";
                self.refuse(name, "be set to this text", reason);
            } else {
                self.check_text(name, name, template);
            }
        }
    }

    fn check_text(&mut self, at: &str, name: &str, text: &str) {
        let is_own = |name: &str| self.manifest.env.keys().any(|own| own.as_str() == name);
        // Where an agent takes a key from: only what the run gives it.
        let is_variable = text.contains('_')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        let reason = match refused_template(text, is_own) {
            Some(reason) => reason,
            None if is_variable && !is_own(text) => {
                "it names a variable that the manifest does not set"
            }
            None if is_address(name) && !is_endpoint(text) => {
                "an address is `{{ endpoint }}`, perhaps with a path behind it"
            }
            None => return,
        };
        self.refuse(at, "be set to this text", reason);
    }

    /// `own` is empty for a name that is not the first on the way to it. Whether it may be set.
    fn check_name(&mut self, at: &str, name: &str, own: &str) -> bool {
        // As in `$schema`.
        let plain = name.strip_prefix('$').unwrap_or(name);
        let reason = match is_plain(plain) {
            true => refused_member(name, own),
            false => Some("its name is more than plain text"),
        };
        if let Some(reason) = reason {
            self.refuse(at, "be set", reason);
        }
        reason.is_none()
    }

    fn refuse(&mut self, what: &str, verb: &str, reason: &str) {
        self.refusals.add(refusal(what, verb, reason));
    }
}

fn refusal(what: &str, verb: &str, reason: &str) -> String {
    format!("`{what}` must not {verb} by a manifest of a registry: {reason}")
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

#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod tests;
