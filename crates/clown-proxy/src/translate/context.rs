//! What the way back must know of the request.

use std::collections::HashMap;

/// Kept from the request for its answer.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) names: Names,
    /// The model that was asked for, told where the upstream names none.
    pub(crate) model: String,
    /// The answer's id, told where the upstream gives none. The same for every try.
    pub(crate) minted: String,
    /// A caller of Chat gets a last chunk with usage only when it asked for it.
    pub(crate) include_usage: bool,
}

/// A tool as its caller knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Original {
    pub(crate) name: String,
    /// Responses groups the tools of one server under a name.
    pub(crate) namespace: Option<String>,
    /// Called with free text instead of an object.
    pub(crate) custom: bool,
}

/// Names of tools on the wire, most of which are the caller's own.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_wire: HashMap<String, Original>,
}

/// What OpenAI's formats take; Messages takes more.
const LONGEST: usize = 64;

impl Names {
    pub(crate) fn get(&self, wire: &str) -> Option<&Original> {
        self.by_wire.get(wire)
    }

    /// The caller's name for a name on the wire.
    pub(crate) fn original<'a>(&'a self, wire: &'a str) -> &'a str {
        self.get(wire).map_or(wire, |original| &original.name)
    }

    /// The name on the wire for a tool that has nothing but its name.
    pub(crate) fn plain(&mut self, name: &str) -> String {
        self.wire(Original {
            name: name.to_owned(),
            ..Original::default()
        })
    }

    /// The name on the wire for a caller's tool: the same for the same tool, another for another.
    pub(crate) fn wire(&mut self, original: Original) -> String {
        let plain = match &original.namespace {
            Some(namespace) => format!("{namespace}__{}", original.name),
            None => original.name.clone(),
        };
        let mut wire: String = plain
            .chars()
            .map(|letter| match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => letter,
                _ => '_',
            })
            .collect();
        let mut number = fingerprint(&plain);
        if wire.len() > LONGEST {
            wire.truncate(LONGEST - 9);
            wire = format!("{wire}_{number:08x}");
        }
        while self
            .by_wire
            .get(&wire)
            .is_some_and(|other| *other != original)
        {
            wire.truncate(LONGEST - 9);
            number = number.wrapping_add(1);
            wire = format!("{wire}_{number:08x}");
        }
        self.by_wire.insert(wire.clone(), original);
        wire
    }
}

/// FNV-1a: the same in every process, so that a name is the same in every request.
fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
