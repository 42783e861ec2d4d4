use crate::files::read_text;
use crate::place::line_and_column;
use crate::registry::{Kind, Layer, LayerFile};
use regex_lite::Regex;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// A kind of manifest file.
pub trait Manifest: DeserializeOwned {
    /// What profiles name it by.
    fn id(&self) -> &str;

    /// What no single value tells: whether the values fit each other.
    fn check(&self) -> Result<(), String>;

    /// What one that comes from a registry may not do, and a person's own may.
    fn check_foreign(&self) -> Result<(), String> {
        Ok(())
    }
}

/// The manifests of one kind that can be used, and what is wrong with the others.
#[derive(Debug)]
pub struct Catalog<M> {
    manifests: BTreeMap<String, Arc<M>>,
    /// The files of the folder that are used, by id.
    own: BTreeMap<String, PathBuf>,
    /// The ids that nobody but a registry knows.
    foreign: BTreeSet<String>,
    /// People's own files that cannot be used, by the id that they are for.
    broken: BTreeMap<String, Problem>,
    /// Why nobody knows what people have of their own.
    unknown: Option<Problem>,
    problems: Vec<Problem>,
}

/// A manifest file that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct Problem {
    /// The file, or the folder if that cannot be read.
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong, for people.
    pub message: String,
}

/// A person's own manifest cannot be used, and nothing else is used in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "your own manifest of {id} cannot be used: {problem}. Mend it, or take the file away: another one is not used in its place"
)]
pub struct Broken {
    id: String,
    problem: Problem,
}

impl<M: Manifest> Catalog<M> {
    /// `built_in` holds file names and contents; the `*.toml` files of `folder` win over them.
    pub(crate) fn load(built_in: &[(&str, &str)], folder: &Path) -> Self {
        Self::load_over(built_in, &Layer::default(), Kind::Agent, folder)
    }

    /// The same, with those of one kind that a registry adds in between.
    pub(crate) fn load_over(
        built_in: &[(&str, &str)],
        layer: &Layer,
        kind: Kind,
        folder: &Path,
    ) -> Self {
        let mut catalog = Self {
            manifests: BTreeMap::new(),
            own: BTreeMap::new(),
            foreign: BTreeSet::new(),
            broken: BTreeMap::new(),
            unknown: None,
            problems: Vec::new(),
        };
        for (name, content) in built_in {
            let path = Path::new("built-in").join(name);
            match parse::<M>(&path, content) {
                Ok(manifest) => catalog.put(manifest),
                Err(problem) => catalog.problems.push(problem),
            }
        }
        for file in layer.files(kind) {
            match parse_foreign::<M>(file) {
                Ok(manifest) => {
                    if catalog.get(manifest.id()).is_none() {
                        catalog.foreign.insert(manifest.id().to_owned());
                    }
                    catalog.put(manifest);
                }
                Err(problem) => catalog.problems.push(problem),
            }
        }
        catalog.load_folder(folder);
        catalog
    }

    /// Every usable manifest, by id.
    pub fn all(&self) -> impl Iterator<Item = &Arc<M>> {
        self.manifests.values()
    }

    /// The manifest with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<M>> {
        self.manifests.get(id)
    }

    /// People's own files that are used, by id.
    pub fn own(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.own
            .iter()
            .map(|(id, path)| (id.as_str(), path.as_path()))
    }

    /// Whether this id is neither built in nor a person's own: only a registry knows it.
    pub fn is_foreign(&self, id: &str) -> bool {
        self.foreign.contains(id)
    }

    /// Refuses what is not what its person wants: a file of theirs is for it and cannot be used. Who
    /// used another one in its place could send keys to where they do not belong.
    pub fn check_whole(&self, id: &str) -> Result<(), Broken> {
        self.broken(id).map_or(Ok(()), |problem| {
            Err(Broken {
                id: id.to_owned(),
                problem: problem.clone(),
            })
        })
    }

    fn broken(&self, id: &str) -> Option<&Problem> {
        let is_other = |problem: &&Problem| {
            let own = self.own.get(id);
            own.is_none_or(|own| *own == problem.path)
        };
        self.broken
            .get(id)
            .filter(is_other)
            .or(self.unknown.as_ref())
    }

    /// Files that could be used before are for the ids that they had then: one that is being written
    /// says nothing.
    pub(crate) fn remember(&mut self, before: &Self) {
        let own = before.own.iter();
        let broken = before.broken.iter();
        let broken = broken.map(|(id, problem)| (id, &problem.path));
        for (id, path) in own.chain(broken) {
            let problem = self.problems.iter().find(|problem| problem.path == *path);
            if let Some(problem) = problem {
                self.broken.insert(id.clone(), problem.clone());
            }
        }
    }

    /// The files that are not used.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn load_folder(&mut self, folder: &Path) {
        let paths = match manifest_files(folder) {
            Ok(paths) => paths,
            Err(error) => {
                let message = format!("cannot read the folder: {error}");
                let problem = Problem::of(folder, message);
                self.unknown = Some(problem.clone());
                return self.problems.push(problem);
            }
        };
        for path in paths {
            match read::<M>(&path) {
                Err(problem) => {
                    match ids_meant_by(&path, &self.manifests) {
                        Some(ids) => {
                            let broken = ids.into_iter().map(|id| (id, problem.clone()));
                            self.broken.extend(broken);
                        }
                        // It may be for any.
                        None => self.unknown = Some(problem.clone()),
                    }
                    self.problems.push(problem);
                }
                Ok(manifest) if self.is_other_in_case_only(manifest.id()) => {
                    let id = manifest.id();
                    let message = format!(
                        "the id `{id}` differs from a known one in capitals only: write it as that one, or give another"
                    );
                    let problem = Problem::of(&path, message);
                    self.broken.insert(id.to_lowercase(), problem.clone());
                    self.problems.push(problem);
                }
                Ok(manifest) => match self.own.get(manifest.id()) {
                    Some(first) => self.problems.push(Problem::of(
                        &path,
                        format!(
                            "the id `{}` is already taken by {}: give this one another",
                            manifest.id(),
                            first.display()
                        ),
                    )),
                    None => {
                        self.foreign.remove(manifest.id());
                        self.own.insert(manifest.id().to_owned(), path);
                        self.put(manifest);
                    }
                },
            }
        }
    }

    fn is_other_in_case_only(&self, id: &str) -> bool {
        let lower = id.to_lowercase();
        lower != id && self.manifests.contains_key(&lower)
    }

    fn put(&mut self, manifest: M) {
        self.manifests
            .insert(manifest.id().to_owned(), Arc::new(manifest));
    }
}

impl Problem {
    pub(crate) fn of(path: &Path, message: String) -> Self {
        Self {
            path: path.to_owned(),
            line: 1,
            column: 1,
            message,
        }
    }
}

/// In the order of their names. Hidden files are left alone: editors keep theirs there.
fn manifest_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // A link that leads nowhere is a folder that is away.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                && std::fs::symlink_metadata(folder).is_err() =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden
            && path
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read<M: Manifest>(path: &Path) -> Result<M, Problem> {
    let content = read_text(path, MAX_BYTES)
        .map_err(|error| Problem::of(path, format!("cannot read the file: {error}")))?;
    parse(path, &content)
}

/// The ids that a file which cannot be used may be for: its name, what it has as `id` in whatever
/// way it is written, and whatever else before its first table is one of `known`. None where nothing
/// of it can be read.
fn ids_meant_by<M>(path: &Path, known: &BTreeMap<String, M>) -> Option<BTreeSet<String>> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut ids = BTreeSet::from([stem.to_lowercase(), stem.into_owned()]);
    // However it is encoded: what stands there in ASCII is found.
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES as u64 {
        return None;
    }
    let content = std::fs::read(path).ok()?;
    let content = String::from_utf8_lossy(&content).replace('\0', "");
    let mut is_head = true;
    let has_id = |line: &str| {
        let name = line.split(['=', ':']).next().unwrap_or_default();
        name.trim()
            .trim_matches(['"', '\''])
            .eq_ignore_ascii_case("id")
    };
    let lines = || content.split(['\n', '\r']);
    for line in lines().filter(|line| !line.trim_start().starts_with('#')) {
        let told = ANY_ID.captures_iter(line);
        ids.extend(told.map(|told| told[1].to_lowercase()));
    }
    // Without one in its head, the name may have been meant for an id.
    let mut head = lines().take_while(|line| !line.trim_start().starts_with('['));
    let is_told_by_id = head.any(has_id);
    for line in lines() {
        let line = line.split('#').next().unwrap_or_default().to_lowercase();
        is_head &= !line.trim_start().starts_with('[');
        let quoted = |sign: char| "\"' \t,;".contains(sign);
        let (name, value) = line.split_once(['=', ':']).unwrap_or(("", &line));
        let name = name.trim_matches(quoted);
        if name == "id" || (name == "name" && !is_told_by_id) {
            ids.insert(value.trim_matches(quoted).to_owned());
        }
        // Who writes these names others.
        let names_others = NAMES_OTHERS.contains(&name);
        if is_head && !names_others {
            let is_sign = |sign: char| !sign.is_ascii_alphanumeric() && !"-_.".contains(sign);
            let words = line.split(is_sign).filter(|word| known.contains_key(*word));
            ids.extend(words.map(ToOwned::to_owned));
        }
    }
    Some(ids)
}

/// An id wherever it stands in a line: behind something else, or in another format.
static ANY_ID: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?i)(?:^|[^a-z0-9-])id["']?\s*[=:]\s*["']?([a-z0-9._-]+)"#;
    #[allow(clippy::expect_used, reason = "the tests use it")]
    Regex::new(pattern).expect("a pattern of this file")
});

/// Members that have names of others in them.
const NAMES_OTHERS: [&str; 9] = [
    "name",
    "models",
    "default_model",
    "sources",
    "binaries",
    "install",
    "folders",
    "clears",
    "formats",
];

/// No manifest is as large.
const MAX_BYTES: usize = 1 << 20;

/// A manifest of a registry, which may do less than a person's own.
pub(crate) fn parse_foreign<M: Manifest>(file: &LayerFile) -> Result<M, Problem> {
    let manifest: M = parse(&file.path, &file.content)?;
    if manifest.id() != file.id {
        let message = format!(
            "its id is `{}`, and the registry lists it as `{}`",
            manifest.id(),
            file.id
        );
        return Err(Problem::of(&file.path, message));
    }
    match manifest.check_foreign() {
        Ok(()) => Ok(manifest),
        Err(message) => Err(placed(&file.path, &file.content, message)),
    }
}

/// Any TOML, for artifacts whose members somebody else knows.
pub(crate) fn parse_table(path: &Path, content: &str) -> Result<toml::Table, Problem> {
    deserialize(path, content)
}

fn deserialize<T: DeserializeOwned>(path: &Path, content: &str) -> Result<T, Problem> {
    toml::from_str(content).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let (line, column) = line_and_column(content, offset);
        Problem {
            line,
            column,
            ..Problem::of(path, explain(error.message()))
        }
    })
}

fn parse<M: Manifest>(path: &Path, content: &str) -> Result<M, Problem> {
    let manifest: M = deserialize(path, content)?;
    match manifest.check() {
        Ok(()) => Ok(manifest),
        Err(message) => Err(placed(path, content, message)),
    }
}

/// A problem where that stands which its message names first.
fn placed(path: &Path, content: &str, message: String) -> Problem {
    let offset = place_in(content, &message).unwrap_or(0);
    let (line, column) = line_and_column(content, offset);
    Problem {
        line,
        column,
        ..Problem::of(path, message)
    }
}

/// Says what may be meant where a name is not known.
fn explain(message: &str) -> String {
    let message = message
        .trim_end()
        .replace("missing field", "missing member");
    let unknown = [
        ("unknown field ", "unknown member "),
        ("unknown variant ", "unknown value "),
    ];
    for (before, now) in unknown {
        let Some(rest) = message.strip_prefix(before) else {
            continue;
        };
        let mut names = rest.split('`').skip(1).step_by(2);
        let (written, known) = (names.next().unwrap_or_default(), names);
        let nearest = known
            .map(|name| (strsim::damerau_levenshtein(written, name), name))
            .min()
            .filter(|(distance, _)| *distance <= 1 + written.len() / 4);
        return match nearest {
            Some((_, name)) => format!("{now}`{written}`: did you mean `{name}`?"),
            None => format!("{now}{rest}"),
        };
    }
    message
}

/// Where in `content` stands what `message` names first: the member or table of that name, else the
/// last value with that text.
fn place_in(content: &str, message: &str) -> Option<usize> {
    let name = message.split('`').nth(1)?;
    let lines = content.lines().map(|line| {
        let offset = line.as_ptr() as usize - content.as_ptr() as usize;
        (offset, line)
    });
    let is_member = |line: &str| {
        let rest = line.trim_start_matches(['[', '"']).strip_prefix(name);
        rest.is_some_and(|rest| rest.trim_start_matches(['"', ' ']).starts_with(['=', ']']))
    };
    let value = format!("\"{name}\"");
    let member = lines.clone().find(|(_, line)| is_member(line));
    let member = member.map(|(offset, _)| offset);
    member.or_else(|| content.rfind(&value))
}
