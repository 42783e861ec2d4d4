use super::document::{Document, Malformed, WrongType};
use super::written::{FileRecord, Record, Written};
use super::{FileMerge, LaunchPlan, Member, MergeError, Wanted};
use crate::agents::FileKind;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Brings the agent's own files below the profile's home up to date: what the plan wants stands in
/// them, and what an earlier plan put there and this one does not want is taken out again. Nothing
/// else in them changes, and a file that says it all already is not written.
///
/// Everything is read and worked out before anything is written, so an error that a person has to
/// correct leaves all files as they are.
pub fn apply(plan: &LaunchPlan) -> Result<(), MergeError> {
    make_folder(&plan.home)?;
    for folder in &plan.folders {
        make_folder(&plan.home.join(folder))?;
    }
    let old = Record::read(&plan.home).map_err(|source| MergeError::Read {
        path: Record::path(&plan.home),
        source,
    })?;
    let mut new = Record::default();
    let mut changed = Vec::new();
    let paths: BTreeSet<&String> = plan.files.keys().chain(old.files.keys()).collect();
    for path in paths {
        let file = File {
            path: plan.home.join(path),
            wanted: plan.files.get(path),
            old: old.files.get(path),
        };
        let (text, record) = file.work_out()?;
        changed.extend(text.map(|text| (file.path, text)));
        if let Some(record) = record {
            new.files.insert(path.clone(), record);
        }
    }
    write(&plan.home, &old, &new, &changed)
}

/// The record is written before the files too: after a crash in between it knows of more than
/// stands in them, which does no harm, and never of less.
fn write(
    home: &Path,
    old: &Record,
    new: &Record,
    changed: &[(PathBuf, String)],
) -> Result<(), MergeError> {
    let write_record = |record: &Record| {
        record.write(home).map_err(|source| MergeError::Write {
            path: Record::path(home),
            source,
        })
    };
    let both = new.joined_with(old);
    if both != *old {
        write_record(&both)?;
    }
    for (path, text) in changed {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        crate::files::write_atomically(path, text.as_bytes(), 0o600).map_err(|source| {
            MergeError::Write {
                path: path.clone(),
                source,
            }
        })?;
    }
    if *new != both {
        write_record(new)?;
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), MergeError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(|source| MergeError::Write {
        path: path.to_owned(),
        source,
    })
}

struct File<'a> {
    path: PathBuf,
    wanted: Option<&'a FileMerge>,
    old: Option<&'a FileRecord>,
}

impl File<'_> {
    /// The new text, if it is another one, and the new record, if there is anything to record.
    fn work_out(&self) -> Result<(Option<String>, Option<FileRecord>), MergeError> {
        let wanted = self.wanted.map_or(&[][..], |wanted| &wanted.members);
        let old = self.old.map_or(&[][..], |old| &old.members);
        let kind = match (self.wanted, self.old) {
            (Some(wanted), _) => wanted.kind,
            (None, Some(old)) => FileKind::from(old.kind),
            (None, None) => return Ok((None, None)),
        };
        let text = self.read()?;
        if text.is_none() && wanted.is_empty() {
            return Ok((None, None));
        }
        let text = text.unwrap_or_default();
        let mut document =
            Document::parse(kind, &text).map_err(|malformed| self.malformed(malformed))?;
        take_out(&mut document, old, wanted);
        let mut members = Vec::new();
        for member in wanted {
            let written = put_in(&mut document, member, old);
            members.extend(written.map_err(|wrong| self.wrong_type(&wrong))?);
        }
        let rendered = document.render();
        let record = FileRecord {
            kind: kind.into(),
            members,
        };
        Ok((
            (rendered != text).then_some(rendered),
            (!record.members.is_empty()).then_some(record),
        ))
    }

    fn read(&self) -> Result<Option<String>, MergeError> {
        let content = match fs::read(&self.path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(MergeError::Read {
                    path: self.path.clone(),
                    source,
                });
            }
        };
        String::from_utf8(content).map(Some).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let valid = String::from_utf8_lossy(valid);
            let (line, column) = crate::place::line_and_column(&valid, valid.len());
            self.malformed(Malformed {
                line,
                column,
                message: "this is not UTF-8 text".to_owned(),
            })
        })
    }

    fn malformed(&self, malformed: Malformed) -> MergeError {
        MergeError::Malformed {
            path: self.path.clone(),
            line: malformed.line,
            column: malformed.column,
            message: malformed.message,
        }
    }

    fn wrong_type(&self, wrong: &WrongType) -> MergeError {
        MergeError::WrongType {
            path: self.path.clone(),
            line: wrong.line,
            column: wrong.column,
            member: match wrong.at.as_slice() {
                [] => "the file".to_owned(),
                at => at.join("."),
            },
            needed: wrong.needed,
        }
    }
}

/// What a person has changed since is theirs and stays.
fn take_out(document: &mut Document, old: &[Written], wanted: &[Member]) {
    for written in old {
        let still_wanted = wanted.iter().any(|member| match &member.wanted {
            Wanted::Value(_) => !written.element && member.at == written.at,
            Wanted::Element(value) => {
                written.element && member.at == written.at && *value == written.value
            }
        });
        if still_wanted {
            continue;
        }
        if written.element {
            document.remove_element(&written.at, &written.value);
        } else if document.get(&written.at).as_ref() == Some(&written.value) {
            match &written.before {
                // It was read from there, so the way there is one of tables.
                Some(before) => drop(document.set(&written.at, before)),
                None => document.remove(&written.at),
            }
        }
    }
}

/// What is to be recorded of it; None if the person has it there by themselves.
fn put_in(
    document: &mut Document,
    member: &Member,
    old: &[Written],
) -> Result<Option<Written>, WrongType> {
    let (value, element) = match &member.wanted {
        Wanted::Value(value) => (value, false),
        Wanted::Element(value) => (value, true),
    };
    let mut written = Written {
        at: member.at.clone(),
        value: value.clone(),
        element,
        before: None,
    };
    let recorded = old.iter().find(|old| old.is_same_place(&written));
    let present = document.get(&member.at);
    let is_there = match (&member.wanted, &present) {
        (Wanted::Value(Value::Object(_)), Some(Value::Object(_))) => true,
        (Wanted::Value(value), Some(present)) => present == value,
        (Wanted::Element(value), Some(Value::Array(elements))) => elements.contains(value),
        _ => false,
    };
    if is_there {
        written.before = recorded.and_then(|recorded| recorded.before.clone());
        return Ok(recorded.is_some().then_some(written));
    }
    match &member.wanted {
        Wanted::Value(value) => {
            written.before = match recorded {
                Some(recorded) if present.as_ref() == Some(&recorded.value) => {
                    recorded.before.clone()
                }
                _ => present,
            };
            document.set(&member.at, value)?;
        }
        Wanted::Element(value) => document.append(&member.at, value)?,
    }
    Ok(Some(written))
}
