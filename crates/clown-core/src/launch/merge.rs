use super::document::{Document, Malformed, WrongType};
use super::written::{FileRecord, Record, Written};
use super::{FileMerge, LaunchPlan, Member, MergeError, Wanted};
use crate::agents::FileKind;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
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
    let old = read_record(&plan.home)?;
    let mut new = Record::default();
    let mut changed = Vec::new();
    for file in files_of(plan, &old) {
        let worked_out = file.work_out()?;
        if worked_out.before.as_ref() != worked_out.after.as_ref() {
            changed.extend(worked_out.after.map(|text| (file.path, text)));
        }
        if let Some(record) = worked_out.record {
            new.files.insert(file.name.clone(), record);
        }
    }
    write(&plan.home, &old, &new, &changed)
}

/// A file that [`apply`] would write.
#[derive(Debug, Clone, PartialEq)]
pub struct FileChange {
    /// The file.
    pub path: PathBuf,
    /// Whether there is none yet.
    pub is_new: bool,
    /// What would change in it.
    pub members: Vec<MemberChange>,
}

/// What would change at one place of a file.
#[derive(Clone, PartialEq)]
pub struct MemberChange {
    /// The names on the way to it.
    pub at: Vec<String>,
    /// What stands there; None if nothing does.
    pub before: Option<Value>,
    /// What would stand there; None if it would be taken out.
    pub after: Option<Value>,
    /// Whether neither is to be shown to anybody.
    pub secret: bool,
}

/// The place only: what stands there can be a secret.
impl fmt::Debug for MemberChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemberChange")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// What [`apply`] would write, file by file. Writes nothing, and fails where that would fail for
/// what stands in a file.
pub fn preview(plan: &LaunchPlan) -> Result<Vec<FileChange>, MergeError> {
    let old = read_record(&plan.home)?;
    let mut changes = Vec::new();
    for file in files_of(plan, &old) {
        let worked_out = file.work_out()?;
        let Some(after) = worked_out.after else {
            continue;
        };
        if worked_out.before.as_ref() == Some(&after) {
            continue;
        }
        let is_new = worked_out.before.is_none();
        let before = worked_out.before.unwrap_or_default();
        changes.push(FileChange {
            members: file.member_changes(&before, &after)?,
            path: file.path,
            is_new,
        });
    }
    Ok(changes)
}

fn read_record(home: &Path) -> Result<Record, MergeError> {
    Record::read(home).map_err(|source| MergeError::Read {
        path: Record::path(home),
        source,
    })
}

/// Those that the plan wants something in, and those that an earlier plan did.
fn files_of<'a>(plan: &'a LaunchPlan, old: &'a Record) -> Vec<File<'a>> {
    let names: BTreeSet<&String> = plan.files.keys().chain(old.files.keys()).collect();
    names
        .into_iter()
        .map(|name| File {
            name,
            path: plan.home.join(name),
            wanted: plan.files.get(name),
            old: old.files.get(name),
        })
        .collect()
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
    /// Its path below the home.
    name: &'a String,
    path: PathBuf,
    wanted: Option<&'a FileMerge>,
    old: Option<&'a FileRecord>,
}

/// What is to become of a file.
#[derive(Default)]
struct WorkedOut {
    /// Its text; None if it is not there.
    before: Option<String>,
    /// The text that it is to have; None if it is not to be there.
    after: Option<String>,
    /// None if there is nothing to record of it.
    record: Option<FileRecord>,
}

impl File<'_> {
    fn kind(&self) -> Option<FileKind> {
        match (self.wanted, self.old) {
            (Some(wanted), _) => Some(wanted.kind),
            (None, Some(old)) => Some(FileKind::from(old.kind)),
            (None, None) => None,
        }
    }

    fn work_out(&self) -> Result<WorkedOut, MergeError> {
        let wanted = self.wanted.map_or(&[][..], |wanted| &wanted.members);
        let old = self.old.map_or(&[][..], |old| &old.members);
        let Some(kind) = self.kind() else {
            return Ok(WorkedOut::default());
        };
        let before = self.read()?;
        if before.is_none() && wanted.is_empty() {
            return Ok(WorkedOut::default());
        }
        let text = before.as_deref().unwrap_or_default();
        let mut document =
            Document::parse(kind, text).map_err(|malformed| self.malformed(malformed))?;
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
        Ok(WorkedOut {
            // A file that would be made to say nothing is not made.
            after: (before.is_some() || !rendered.is_empty()).then_some(rendered),
            before,
            record: (!record.members.is_empty()).then_some(record),
        })
    }

    /// The places of which the plan or an earlier one knows, and that differ.
    fn member_changes(&self, before: &str, after: &str) -> Result<Vec<MemberChange>, MergeError> {
        let Some(kind) = self.kind() else {
            return Ok(Vec::new());
        };
        let parse = |text| Document::parse(kind, text).map_err(|error| self.malformed(error));
        let (before, after) = (parse(before)?, parse(after)?);
        let wanted = self.wanted.into_iter().flat_map(|wanted| &wanted.members);
        let old = self.old.into_iter().flat_map(|old| &old.members);
        let mut places: Vec<(&[String], bool)> = Vec::new();
        for (at, secret) in wanted
            .map(|member| (&*member.at, member.secret))
            .chain(old.map(|written| (&*written.at, written.secret)))
        {
            match places.iter_mut().find(|(known, _)| *known == at) {
                Some((_, is_secret)) => *is_secret |= secret,
                None => places.push((at, secret)),
            }
        }
        let changes = places.into_iter().filter_map(|(at, secret)| {
            let (before, after) = (before.get(at), after.get(at));
            (before != after).then(|| MemberChange {
                at: at.to_vec(),
                before,
                after,
                secret,
            })
        });
        Ok(changes.collect())
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
        if wanted.iter().any(|member| written.is_of(member)) {
            continue;
        }
        let Some(present) = document.get(&written.at) else {
            continue;
        };
        if written.element {
            let elements = present.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(element) = elements.iter().find(|element| written.is(element)) {
                document.remove_element(&written.at, element);
            }
        } else if written.is(&present) {
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
    let mut written = Written::of(member);
    let recorded = old.iter().find(|old| old.is_of(member));
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
                Some(recorded) if present.as_ref().is_some_and(|value| recorded.is(value)) => {
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
