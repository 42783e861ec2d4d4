//! Making a registry of a folder with manifests.

use super::index::{Artifact, Channel, Commit, Hash, Index, Kind, MAX_ARTIFACT_BYTES, Version};
use super::layer::{LayerFile, check_file};
use crate::files::write_atomically;
use crate::providers::{Identifier, Problem};
use clown_events::Timestamp;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Signs these bytes with this trusted comment, and gives the text of the signature's file.
pub type Signer<'a> = dyn Fn(&[u8], &str) -> Result<String, Box<dyn Error + Send + Sync>> + 'a;

/// A registry is to be made.
pub struct BuildRequest<'a> {
    /// Where the manifests are, in `agents`, `providers`, `templates` and `prices`.
    pub folder: &'a Path,
    /// Where the registry goes. Other channels there stay.
    pub out: &'a Path,
    /// The channel that it is for.
    pub channel: Channel,
    /// The oldest version of Clown that can use it.
    pub minimum_version: Version,
    /// Who signs it.
    pub signer: Option<&'a Signer<'a>>,
}

impl std::fmt::Debug for BuildRequest<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BuildRequest")
            .field("folder", &self.folder)
            .field("out", &self.out)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

/// A registry was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// What it holds.
    pub index: Index,
    /// False if it was so before.
    pub is_new: bool,
    /// Whether it is signed now.
    pub is_signed: bool,
}

/// A registry cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is nothing to make one of.
    #[error(
        "there is no manifest below {}: put them into its folders agents, providers and templates as *.toml, and prices as *.json or *.toml",
        folder.display()
    )]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// Manifests that are not right. Nothing was written.
    #[error("{}", list(problems))]
    Manifests {
        /// What is wrong with each.
        problems: Vec<Problem>,
    },
    /// What is there already is something else.
    #[error("{} is there and is no index of channel {channel} that could be followed by another: remove it, or choose another --out", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The channel.
        channel: Channel,
    },
    /// A file or folder.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The signature.
    #[error("cannot sign the index")]
    Sign(#[source] Box<dyn Error + Send + Sync>),
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Checks every manifest, and writes artifacts, index and signature. What is served from there
/// meanwhile is whole at any time: the index comes last.
pub fn build(request: &BuildRequest<'_>) -> Result<Built, BuildError> {
    let sources = read_sources(request.folder)?;
    let mut artifacts: Vec<Artifact> = sources
        .iter()
        .map(|(artifact, _)| artifact.clone())
        .collect();
    artifacts.sort_unstable();
    let commit = Commit::of(artifacts.iter().map(|artifact| {
        (
            artifact.kind.as_str(),
            artifact.id.as_str(),
            artifact.sha256.as_str(),
            artifact.size,
        )
    }));
    let channel_folder = request.out.join(request.channel.as_str());
    let index_path = channel_folder.join("registry.json");
    let before = read_index(&index_path, &request.channel)?;
    let now = Timestamp::now();
    let same = before.as_ref().is_some_and(|before| {
        before.commit == commit && before.minimum_version == request.minimum_version
    });
    let index = match before {
        Some(before) if same => before,
        before => Index {
            channel: request.channel.clone(),
            commit,
            serial: next_serial(before.map(|before| before.serial), now),
            created_at: now,
            minimum_version: request.minimum_version,
            artifacts,
        },
    };
    let artifact_folder = request.out.join("artifacts");
    let commit_folder = channel_folder.join(index.commit.as_str());
    for folder in [&artifact_folder, &commit_folder] {
        fs::create_dir_all(folder).map_err(|source| file_error(folder, source))?;
    }
    for (artifact, content) in &sources {
        write(
            &artifact_folder.join(artifact.sha256.as_str()),
            content.as_bytes(),
        )?;
    }
    let json = index
        .to_json()
        .map_err(|error| file_error(&index_path, io::Error::other(error)))?;
    let signature = request
        .signer
        .map(|sign| sign(json.as_bytes(), &index.trusted_comment()).map_err(BuildError::Sign))
        .transpose()?;
    for folder in [&commit_folder, &channel_folder] {
        let signature_path = folder.join("registry.json.minisig");
        match &signature {
            Some(signature) => write(&signature_path, signature.as_bytes())?,
            // One of another index would only confuse.
            None if !same => match fs::remove_file(&signature_path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(file_error(&signature_path, error));
                }
                _ => {}
            },
            None => {}
        }
        write(&folder.join("registry.json"), json.as_bytes())?;
    }
    Ok(Built {
        is_new: !same,
        is_signed: channel_folder.join("registry.json.minisig").exists(),
        index,
    })
}

/// Rises with each index, also where what was built before is not at hand.
fn next_serial(before: Option<u64>, now: Timestamp) -> u64 {
    let seconds = u64::try_from(now.unix_millis() / 1000).unwrap_or(0);
    before.map_or(1, |before| before + 1).max(seconds)
}

fn read_sources(folder: &Path) -> Result<Vec<(Artifact, String)>, BuildError> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for kind in Kind::ALL {
        let endings: &[&str] = match kind {
            // As LiteLLM publishes them.
            Kind::Prices => &[".toml", ".json"],
            Kind::Agent | Kind::Provider | Kind::Template => &[".toml"],
        };
        let mut ids = BTreeSet::new();
        for path in manifest_files(&folder.join(kind.folder()), endings)? {
            match read_source(kind, &path) {
                Ok((artifact, _)) if !ids.insert(artifact.id.as_str().to_owned()) => {
                    let message = format!(
                        "there is another file whose id is {}: give one of them another name",
                        artifact.id.as_str()
                    );
                    problems.push(Problem::of(&path, message));
                }
                Ok(source) => sources.push(source),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if !problems.is_empty() {
        return Err(BuildError::Manifests { problems });
    }
    if sources.is_empty() {
        return Err(BuildError::Empty {
            folder: folder.to_owned(),
        });
    }
    Ok(sources)
}

/// In the order of their names. Hidden files are left alone: editors keep theirs there.
fn manifest_files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, BuildError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(file_error(folder, error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| file_error(folder, error))?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let has_ending = |ending: &&str| name.ends_with(ending.as_bytes());
        if !name.starts_with(b".") && endings.iter().any(has_ending) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_source(kind: Kind, path: &Path) -> Result<(Artifact, String), Problem> {
    let wrong = |message: String| Problem::of(path, message);
    let content = fs::read_to_string(path)
        .map_err(|error| wrong(format!("cannot read the file: {error}")))?;
    let size = content.len() as u64;
    if size > MAX_ARTIFACT_BYTES {
        return Err(wrong(format!(
            "it is larger than {MAX_ARTIFACT_BYTES} bytes"
        )));
    }
    // The file's name is the id, so that two files hardly ever have one.
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let id = Identifier::try_from(stem.clone().into_owned()).map_err(|_| {
        wrong(format!(
            "its name without its ending is to be its id, and `{stem}` is none: 1 to 64 letters, digits, `.`, `_` and `-`"
        ))
    })?;
    let file = LayerFile {
        kind,
        id: id.as_str().to_owned(),
        path: path.to_owned(),
        content,
    };
    check_file(&file)?;
    let artifact = Artifact {
        kind,
        id,
        sha256: Hash::of(file.content.as_bytes()),
        size,
    };
    Ok((artifact, file.content))
}

/// The index that is to be followed by another.
fn read_index(path: &Path, channel: &Channel) -> Result<Option<Index>, BuildError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(path, error)),
    };
    match Index::parse(&bytes) {
        Ok(index) if index.channel == *channel => Ok(Some(index)),
        _ => Err(BuildError::Foreign {
            path: path.to_owned(),
            channel: channel.clone(),
        }),
    }
}

fn write(path: &Path, content: &[u8]) -> Result<(), BuildError> {
    // Left as it is where nothing changes, for those who copy by time of change.
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    // For a web server to read.
    write_atomically(path, content, 0o644).map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: io::Error) -> BuildError {
    BuildError::File {
        path: path.to_owned(),
        source,
    }
}
