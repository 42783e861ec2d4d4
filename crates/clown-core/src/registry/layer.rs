//! What the registry in use adds to the built-in manifests.

use super::index::{Artifact, Index, Kind};
use crate::agents::AgentManifest;
use crate::providers::{self, Problem, ProviderManifest};
use crate::templates::TemplateManifest;
use crate::usage;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// The content of one index. The default one is empty: the built-in set is all there is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Layer {
    files: Vec<LayerFile>,
    problems: Vec<Problem>,
}

/// One artifact with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFile {
    /// What it is.
    pub kind: Kind,
    /// Its id in the index.
    pub id: String,
    /// By what problems name it.
    pub path: PathBuf,
    /// What is in it.
    pub content: String,
}

impl Layer {
    /// The artifacts of `index`, each with what `content` has of it. One that cannot be used stays
    /// out; it is among the problems.
    pub(super) fn of(
        index: &Index,
        mut content: impl FnMut(&Artifact) -> Option<Arc<Vec<u8>>>,
    ) -> Self {
        let mut layer = Self::default();
        for artifact in &index.artifacts {
            let path = Path::new("registry")
                .join(index.channel.as_str())
                .join(index.commit.short())
                .join(artifact.kind.folder());
            let text = content(artifact)
                .and_then(|bytes| String::from_utf8(bytes.as_slice().to_vec()).ok());
            let Some(content) = text else {
                let path = path.join(artifact.id.as_str());
                layer
                    .problems
                    .push(Problem::of(&path, "it is no text".to_owned()));
                continue;
            };
            let ending = if is_json(&content) { "json" } else { "toml" };
            let file = LayerFile {
                kind: artifact.kind,
                id: artifact.id.as_str().to_owned(),
                path: path.join(format!("{}.{ending}", artifact.id.as_str())),
                content,
            };
            match check_file(&file) {
                Ok(()) => layer.files.push(file),
                Err(problem) => layer.problems.push(problem),
            }
        }
        layer
    }

    /// One of these, as if an index had named them.
    #[cfg(test)]
    pub(crate) fn of_files(files: Vec<LayerFile>) -> Self {
        Self {
            files,
            problems: Vec::new(),
        }
    }

    /// The artifacts that this version cannot use.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The artifacts of one kind, by id.
    pub fn files(&self, kind: Kind) -> impl Iterator<Item = &LayerFile> {
        self.files.iter().filter(move |file| file.kind == kind)
    }
}

/// An object in JSON, which no TOML is.
pub(crate) fn is_json(content: &str) -> bool {
    content.trim_start().starts_with('{')
}

/// Whether an artifact can be used.
pub(super) fn check_file(file: &LayerFile) -> Result<(), Problem> {
    match file.kind {
        Kind::Agent => providers::parse_foreign::<AgentManifest>(file).map(drop),
        Kind::Provider => providers::parse_foreign::<ProviderManifest>(file).map(drop),
        Kind::Template => providers::parse_foreign::<TemplateManifest>(file).map(drop),
        Kind::Prices => usage::check_prices(file),
    }
}

/// The layer in use, for everybody who reads manifests.
#[derive(Debug, Default)]
pub struct Active(RwLock<Arc<Layer>>);

impl Active {
    /// What is in use now.
    pub fn layer(&self) -> Arc<Layer> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another one in its place, and gives the one that was there.
    pub(super) fn switch(&self, layer: Arc<Layer>) -> Arc<Layer> {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut held, layer)
    }
}
