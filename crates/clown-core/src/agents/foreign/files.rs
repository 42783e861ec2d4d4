//! What is written into agents' own files.

use super::Checked;
use crate::agents::{ConfigFile, HooksFile, MemberPath};
use crate::foreign::{is_web_address, refused_part, refused_variable};

/// How files end that are configuration. Others can be run, or be read by a model.
const ENDINGS: [&str; 4] = [".json", ".jsonc", ".toml", ".env"];

/// Files that agents read to their models, whatever they end in.
const READ_BY_MODELS: [&str; 8] = [
    "agent", "agents", "claude", "gemini", "memory", "qwen", "rules", "skill",
];

/// Why what a person's profile says goes where the built-in manifest has it.
pub(super) const ELSEWHERE: &str = "a built-in agent reads them where its own manifest says";

impl Checked<'_> {
    pub(super) fn check_file(&mut self, file: &ConfigFile) {
        let path = file.path.as_str();
        let known: Vec<&ConfigFile> = self
            .known
            .iter()
            .flat_map(|known| &known.files)
            .filter(|known| known.path == file.path && known.kind == file.kind)
            .collect();
        if known.is_empty() {
            if self.known.is_some() {
                let reason = "a built-in agent is told by its own files only, where key and address belong together";
                return self.refuse(path, "be written", reason);
            }
            self.check_path(path);
        }
        if let Some(when) = &file.when
            && !known.iter().any(|known| known.when.as_ref() == Some(when))
        {
            self.check_text("when", "when", when.as_str());
        }
        for (member, value) in &file.members {
            if known
                .iter()
                .any(|known| known.members.get(member) == Some(value))
            {
                continue;
            }
            let at = text_of(member);
            let names = member.names().iter().map(|name| name.as_str()).enumerate();
            let is_good = names.fold(true, |is_good, (step, name)| {
                is_good && self.check_step(file, &at, name, step == 0)
            });
            let last = member.names().last().map_or("", |name| name.as_str());
            if is_good {
                self.check_value(&at, last, value.as_toml());
            }
        }
    }

    pub(super) fn check_hooks(&mut self, hooks: &HooksFile) {
        let Some(known) = self.known else {
            return self.check_place(hooks.file.as_str());
        };
        let is_same = |known: &HooksFile| {
            let place = |it: &HooksFile| (it.file.clone(), it.kind, it.member.clone(), it.form);
            place(known) == place(hooks)
        };
        if !known.hooks.as_ref().is_some_and(is_same) {
            self.refuse(hooks.file.as_str(), "have the hooks", ELSEWHERE);
        }
    }

    /// Of a file whose members the manifest sets.
    fn check_path(&mut self, path: &str) {
        // Not its ending: `.env` is one of those that may be.
        let name = ENDINGS.iter().find_map(|ending| path.strip_suffix(ending));
        let name = name.unwrap_or(path);
        match name.split(['/', '.']).find_map(refused_part) {
            Some(reason) => self.refuse(path, "be written", reason),
            None => self.check_place(path),
        }
    }

    /// Of any file that is written.
    pub(super) fn check_place(&mut self, path: &str) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        let stem = stem.to_ascii_lowercase();
        let reason = if path.split('/').any(|part| part.starts_with(".git")) {
            "git runs programs by its files"
        } else if !ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            "configuration ends in .json, .jsonc, .toml or .env, and other files can be run or read by models"
        } else if READ_BY_MODELS.contains(&stem.as_str()) {
            "models are told by files of that name what to do"
        } else {
            return;
        };
        self.refuse(path, "be written", reason);
    }

    fn check_step(&mut self, file: &ConfigFile, at: &str, name: &str, is_first: bool) -> bool {
        let id = self.manifest.id.as_str();
        if file.path.as_str().ends_with(".env")
            && let Some(reason) = refused_variable(name, id)
        {
            self.refuse(at, "be set", reason);
            return false;
        }
        self.check_name(at, name, if is_first { id } else { "" })
    }

    /// `at` is the way to it, for people; `name` the member that it is of.
    fn check_value(&mut self, at: &str, name: &str, value: &toml::Value) {
        // Editors read it; agents do not.
        let is_schema = name == "$schema" && value.as_str().is_some_and(is_web_address);
        if name == "share" && !is_unshared(value) {
            let reason = "all that is said could be published by it";
            return self.refuse(at, "be set to this", reason);
        }
        match value {
            toml::Value::String(text) if !is_schema => self.check_text(at, name, text),
            toml::Value::Array(items) => {
                for item in items {
                    self.check_value(at, name, item);
                }
            }
            toml::Value::Table(members) => {
                for (name, value) in members {
                    let at = format!("{at}.{name}");
                    if self.check_name(&at, name, "") {
                        self.check_value(&at, name, value);
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_unshared(value: &toml::Value) -> bool {
    match value {
        toml::Value::Boolean(is_shared) => !is_shared,
        toml::Value::String(text) => ["disabled", "manual", "off"].contains(&text.as_str()),
        _ => false,
    }
}

pub(super) fn text_of(member: &MemberPath) -> String {
    let names: Vec<&str> = member.names().iter().map(|name| name.as_str()).collect();
    names.join(".")
}
