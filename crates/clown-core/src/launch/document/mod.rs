//! A person's configuration file, changed in place: what is not changed stays byte for byte.

mod json;
mod toml;

use crate::agents::FileKind;
use serde_json::Value;

/// A parsed file.
#[derive(Debug)]
pub enum Document {
    Json(json::JsonDocument),
    Toml(Box<toml::TomlDocument>),
}

/// Why a file cannot be used, and where. Lines and columns count from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Something else stands where a table or a list is needed.
#[derive(Debug, PartialEq, Eq)]
pub struct WrongType {
    pub line: usize,
    pub column: usize,
    pub at: Vec<String>,
    pub needed: &'static str,
}

pub const TABLE: &str = "a table";
pub const LIST: &str = "a list";

impl Document {
    /// A text of nothing but white space is an empty document.
    pub fn parse(kind: FileKind, text: &str) -> Result<Self, Malformed> {
        Ok(match kind {
            FileKind::Json => Self::Json(json::JsonDocument::parse(text, false)?),
            FileKind::Jsonc => Self::Json(json::JsonDocument::parse(text, true)?),
            FileKind::Toml => Self::Toml(Box::new(toml::TomlDocument::parse(text)?)),
        })
    }

    /// What stands at a place; None if nothing does, or if the way there is none of tables.
    pub fn get(&self, at: &[String]) -> Option<Value> {
        match self {
            Self::Json(document) => document.get(at),
            Self::Toml(document) => document.get(at),
        }
    }

    /// Puts a value at a place, with the tables on the way to it.
    pub fn set(&mut self, at: &[String], value: &Value) -> Result<(), WrongType> {
        match self {
            Self::Json(document) => document.set(at, value),
            Self::Toml(document) => document.set(at, value),
        }
    }

    /// Adds an element to the list at a place, which is made if it is not there.
    pub fn append(&mut self, at: &[String], element: &Value) -> Result<(), WrongType> {
        match self {
            Self::Json(document) => document.append(at, element),
            Self::Toml(document) => document.append(at, element),
        }
    }

    /// Takes away what stands at a place, and the tables on the way that are empty then.
    pub fn remove(&mut self, at: &[String]) {
        let mut at = at;
        while let Some((_, parent)) = at.split_last() {
            match self {
                Self::Json(document) => document.remove(at),
                Self::Toml(document) => document.remove(at),
            }
            let empty = Value::Object(serde_json::Map::new());
            if parent.is_empty() || self.get(parent) != Some(empty) {
                return;
            }
            at = parent;
        }
    }

    /// Takes one element away from the list at a place, and the list if it is empty then.
    pub fn remove_element(&mut self, at: &[String], element: &Value) {
        let Some(Value::Array(elements)) = self.get(at) else {
            return;
        };
        let Some(index) = elements.iter().position(|other| other == element) else {
            return;
        };
        if elements.len() == 1 {
            return self.remove(at);
        }
        match self {
            Self::Json(document) => document.remove_element(at, index),
            Self::Toml(document) => document.remove_element(at, index),
        }
    }

    /// The text of the file.
    pub fn render(&self) -> String {
        match self {
            Self::Json(document) => document.render(),
            Self::Toml(document) => document.render(),
        }
    }
}
