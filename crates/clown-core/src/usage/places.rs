//! Folders in which agents write down what they use.

use super::batch::Scope;
use crate::Alias;
use crate::agents::{AgentManifest, HomePath, OwnFolder, UsageForm, UsageLogs};
use crate::keys::Environment;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A folder of one agent, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) scope: Scope,
    pub(super) form: UsageForm,
    pub(super) root: PathBuf,
    patterns: Vec<String>,
}

impl Place {
    pub(super) fn new(scope: Scope, logs: &UsageLogs, root: PathBuf) -> Self {
        Self {
            scope,
            form: logs.form,
            root,
            patterns: logs.files.iter().map(str::to_owned).collect(),
        }
    }

    /// The folder of a proxy instance, with what it has metered.
    pub(super) fn of_spool(profile: Alias, root: PathBuf) -> Self {
        Self {
            scope: Scope {
                // Each line says whose it is.
                agent: String::new(),
                profile: Some(profile),
            },
            form: UsageForm::Proxy,
            root,
            patterns: ["spool.jsonl", "spool-*.jsonl"].map(str::to_owned).to_vec(),
        }
    }

    /// The folders below which all files lie: those that no pattern leaves open.
    pub(super) fn bases(&self) -> Vec<PathBuf> {
        let mut bases: Vec<PathBuf> = Vec::new();
        for pattern in &self.patterns {
            let names: Vec<&str> = pattern.split('/').collect();
            let fixed = names[..names.len() - 1]
                .iter()
                .take_while(|name| !name.contains('*'));
            let base = fixed.fold(self.root.clone(), |base, name| base.join(name));
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
        bases
    }

    /// The folders from the root to those below which all files lie.
    pub(super) fn ways(&self) -> Vec<PathBuf> {
        let bases = self.bases();
        let ways = bases.iter().flat_map(|base| base.ancestors());
        ways.filter(|folder| folder.starts_with(&self.root))
            .map(Path::to_owned)
            .collect()
    }

    /// Above each of [`Place::bases`], the nearest folder that is there: the one above the root at
    /// most.
    pub(super) fn above(&self) -> Vec<PathBuf> {
        let top = self.root.parent().unwrap_or(&self.root);
        let bases = self.bases();
        let nearest = bases.iter().filter_map(|base| {
            let mut above = base.ancestors().skip(1);
            above.find(|folder| folder.starts_with(top) && folder.is_dir())
        });
        nearest.map(Path::to_owned).collect()
    }

    /// Whether the file at `path` is one of them.
    pub(super) fn holds(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.root) else {
            return false;
        };
        let mut names = Vec::new();
        for component in below.components() {
            match component {
                Component::Normal(name) => names.push(name.to_string_lossy()),
                _ => return false,
            }
        }
        self.patterns.iter().any(|pattern| {
            let pattern: Vec<&str> = pattern.split('/').collect();
            path_matches(&pattern, &names)
        })
    }

    /// The files that are there, in the order of their names. Folders that links lead to are left
    /// out, but for the root.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for base in self.bases() {
            self.walk(&base, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The same below one folder.
    pub(super) fn files_below(&self, folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        self.walk(folder, &mut found);
        found.sort_unstable();
        found
    }

    fn walk(&self, folder: &Path, found: &mut Vec<PathBuf>) {
        // A folder that is not there, or that may not be read, holds nothing to count.
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            if kind.is_dir() {
                self.walk(&path, found);
            } else if (kind.is_file() || kind.is_symlink()) && self.holds(&path) {
                found.push(path);
            }
        }
    }
}

fn path_matches(pattern: &[&str], names: &[std::borrow::Cow<'_, str>]) -> bool {
    match (pattern, names) {
        ([], []) => true,
        (["**", rest @ ..], _) => {
            (0..=names.len()).any(|passed| path_matches(rest, &names[passed..]))
        }
        ([first, rest @ ..], [name, names @ ..]) => {
            name_matches(first, name) && path_matches(rest, names)
        }
        _ => false,
    }
}

fn name_matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// The folders of an agent that is started without a profile, from the variables of `environment`.
pub(super) fn own_folders(agent: &AgentManifest, environment: &Environment) -> Vec<PathBuf> {
    let Some(own) = agent.usage.as_ref().and_then(|usage| usage.own.as_ref()) else {
        return Vec::new();
    };
    let also = own.also.iter();
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in std::iter::once(own).chain(also) {
        folders.extend(folders_of(folder, environment));
    }
    folders
}

fn folders_of(own: &OwnFolder, environment: &Environment) -> Vec<PathBuf> {
    let value = |name: &str| environment.get(name).map(PathBuf::from);
    let named = own
        .variable
        .as_ref()
        .and_then(|variable| value(variable.as_str()));
    if let Some(folder) = named {
        return vec![match &own.below {
            Some(below) => below.below(&folder),
            None => folder,
        }];
    }
    let Some(home) = value("HOME") else {
        return Vec::new();
    };
    let place = |path: &HomePath| {
        let usual = path.below_home().below(&home);
        STANDARD
            .iter()
            .find_map(|(variable, below)| {
                let rest = usual.strip_prefix(home.join(below)).ok()?;
                // The standard leaves relative ones out of account.
                let folder = value(variable).filter(|folder| folder.is_absolute())?;
                Some(folder.join(rest))
            })
            .unwrap_or_else(|| usual.clone())
    };
    own.default.iter().map(place).collect()
}

/// The variables of the XDG standard, and the folders that they are for.
const STANDARD: [(&str, &str); 2] = [
    ("XDG_CONFIG_HOME", ".config"),
    ("XDG_DATA_HOME", ".local/share"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::Manifests;

    fn place(root: &Path, patterns: &[&str]) -> Place {
        Place {
            scope: Scope::default(),
            form: UsageForm::Claude,
            root: root.to_owned(),
            patterns: patterns
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect(),
        }
    }

    #[test]
    fn files_are_known_by_their_patterns() {
        let check = |pattern: &str, path: &str, expected: bool| {
            let holds = place(Path::new("/r"), &[pattern]).holds(Path::new(path));
            assert_eq!(holds, expected, "{pattern} {path}");
        };
        check("projects/**/*.jsonl", "/r/projects/a.jsonl", true);
        check(
            "projects/**/*.jsonl",
            "/r/projects/p/s/subagents/a.jsonl",
            true,
        );
        check("projects/**/*.jsonl", "/r/projects/p/a.json", false);
        check("projects/**/*.jsonl", "/r/other/a.jsonl", false);
        check("projects/**/*.jsonl", "/elsewhere/projects/a.jsonl", false);
        check("tmp/*/chats/*.json", "/r/tmp/h/chats/s.json", true);
        check("tmp/*/chats/*.json", "/r/tmp/h/more/chats/s.json", false);
        check("usage/token-*-x.jsonl", "/r/usage/token-1-2-x.jsonl", true);
        check("usage/token-*-x.jsonl", "/r/usage/token-x.jsonl", false);
        check("opencode.db", "/r/opencode.db", true);
        check("opencode.db", "/r/opencode.db-wal", false);
    }

    #[test]
    fn what_lies_below_is_found() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path(), &["a/*/x.json", "a/b/**/*.jsonl"]);
        assert_eq!(place.files(), Vec::<PathBuf>::new());
        for file in ["a/b/x.json", "a/b/c/d/e.jsonl", "a/b/x.jsonl", "z.jsonl"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let expected = ["a/b/c/d/e.jsonl", "a/b/x.json", "a/b/x.jsonl"];
        assert_eq!(place.files(), expected.map(|path| root.path().join(path)));
        assert_eq!(
            place.bases(),
            ["a", "a/b"].map(|path| root.path().join(path))
        );
    }

    #[test]
    fn folders_without_a_profile_are_where_variables_say() {
        let agents = Manifests::new("/none".into(), crate::agents::load).current();
        let check = |agent: &str, variables: &[(&str, &str)], expected: &[&str]| {
            let home = [("HOME", "/home/me")];
            let environment = home.iter().chain(variables).copied().collect();
            let folders = own_folders(agents.get(agent).unwrap(), &environment);
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(folders, expected, "{agent} {variables:?}");
        };
        let usual = ["/home/me/.claude", "/home/me/.config/claude"];
        check("claude", &[], &usual);
        check("claude", &[("CLAUDE_CONFIG_DIR", "/c")], &["/c"]);
        let configured = [("XDG_CONFIG_HOME", "/x")];
        check("claude", &configured, &["/home/me/.claude", "/x/claude"]);
        check("claude", &[("XDG_CONFIG_HOME", "")], &usual);
        // The standard says that a relative one is to be left out of account.
        check("claude", &[("XDG_CONFIG_HOME", "x")], &usual);
        let data = ("XDG_DATA_HOME", "/d");
        check("goose", &[data], &["/d/goose"]);
        check("goose", &[data, ("GOOSE_PATH_ROOT", "/g")], &["/g"]);
        check("opencode", &[data], &["/d/opencode"]);
        check("opencode", &[], &["/home/me/.local/share/opencode"]);
        check("kimi", &[], &["/home/me/.kimi-code", "/home/me/.kimi"]);
        let share = ("KIMI_SHARE_DIR", "/s");
        check("kimi", &[share], &["/home/me/.kimi-code", "/s"]);
        let code = ("KIMI_CODE_HOME", "/k");
        check("kimi", &[code], &["/k", "/home/me/.kimi"]);
        check("kimi", &[code, share], &["/k", "/s"]);
    }
}
