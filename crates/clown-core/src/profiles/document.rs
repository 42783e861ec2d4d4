//! Reading a profile's file, and changing it without losing what a person wrote around it.

use super::definition::{Definition, MEMBERS};
use crate::place::line_and_column;
use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

/// Why a file's content is no definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
}

/// Reads a definition.
pub fn parse(content: &[u8]) -> Result<Definition, Malformed> {
    let text = std::str::from_utf8(content).map_err(|error| {
        let before = &content[..error.valid_up_to()];
        Malformed {
            place: Some(line_and_column(
                &String::from_utf8_lossy(before),
                before.len(),
            )),
            message: "this is not UTF-8 text".to_owned(),
        }
    })?;
    toml::from_str(text).map_err(|error| Malformed {
        place: error.span().map(|span| line_and_column(text, span.start)),
        message: explain(error.message()),
    })
}

/// Says what to do where the bare message does not.
fn explain(message: &str) -> String {
    match message.strip_prefix("unknown field ") {
        Some(rest) => format!("unknown member {rest}"),
        None => message.replace("missing field", "missing member"),
    }
}

/// The content of `current` changed so that it says what `definition` says. Comments, order and
/// the form of what does not change stay.
pub fn render(current: &str, definition: &Definition) -> Result<String, Malformed> {
    // The TOML library knows neither, and a person's editor may.
    let mark = if current.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK
    } else {
        ""
    };
    let text = render_plain(&current[mark.len()..], definition)?;
    let text = if current.contains("\r\n") {
        text.replace("\r\n", "\n").replace('\n', "\r\n")
    } else {
        text
    };
    Ok(format!("{mark}{text}"))
}

const BYTE_ORDER_MARK: &str = "\u{feff}";

fn render_plain(current: &str, definition: &Definition) -> Result<String, Malformed> {
    let mut document: DocumentMut =
        current
            .parse()
            .map_err(|error: toml_edit::TomlError| Malformed {
                place: error
                    .span()
                    .map(|span| line_and_column(current, span.start)),
                message: error.message().to_owned(),
            })?;
    let wanted = match serde_json::to_value(definition) {
        Ok(Value::Object(members)) => members,
        // A definition holds maps with text keys and plain values only.
        _ => Map::new(),
    };
    let present = match parse(current.as_bytes()).map(serde_json::to_value) {
        Ok(Ok(Value::Object(members))) => members,
        _ => Map::new(),
    };
    let root = document.as_table_mut();
    for name in MEMBERS {
        // What already says the same stays as it is written.
        if root.contains_key(name) && present.get(name) == wanted.get(name) {
            continue;
        }
        match wanted.get(name) {
            // An empty `env` table with comments in it means the same as none.
            None if present.get(name).is_none() => {}
            None => {
                root.remove(name);
            }
            // A file that does without what is the default goes on to.
            Some(value) if !current.is_empty() && present.get(name) == Some(value) => {}
            Some(value) => set(root, name, value, name == "key"),
        }
    }
    Ok(document.to_string())
}

/// Makes `table` say `value` under `name`, member by member where both are tables.
fn set(table: &mut dyn TableLike, name: &str, value: &Value, inline: bool) {
    if let Value::Object(members) = value
        && let Some(present) = table.get_mut(name).and_then(Item::as_table_like_mut)
    {
        let gone: Vec<String> = present
            .iter()
            .map(|(key, _)| key.to_owned())
            .filter(|key| !members.contains_key(key))
            .collect();
        for key in gone {
            present.remove(&key);
        }
        for (key, member) in members {
            let same = present.get(key).and_then(item_value).as_ref() == Some(member);
            if !same {
                set(present, key, member, inline);
            }
        }
        return;
    }
    let mut item = match value {
        Value::Object(members) if !inline => Item::Table(to_table(members)),
        _ => match to_value(value) {
            Some(value) => Item::Value(value),
            None => return,
        },
    };
    match (table.get_mut(name), &mut item) {
        // A comment behind or above the old value belongs to the member, not to the value.
        (Some(Item::Value(old)), Item::Value(new)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new.clone();
        }
        _ => {
            table.insert(name, item);
        }
    }
}

fn to_table(members: &Map<String, Value>) -> Table {
    let mut table = Table::new();
    for (name, value) in members {
        match value {
            Value::Object(inner) => {
                table.insert(name, Item::Table(to_table(inner)));
            }
            _ => {
                if let Some(value) = to_value(value) {
                    table.insert(name, Item::Value(value));
                }
            }
        }
    }
    table
}

/// TOML has no null: callers refuse it before it comes here.
fn to_value(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(float)) => float.into(),
            (None, None) => return None,
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().filter_map(to_value).collect::<Array>().into(),
        Value::Object(members) => members
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), to_value(value)?)))
            .collect::<InlineTable>()
            .into(),
    })
}

fn item_value(item: &Item) -> Option<Value> {
    let mut holder = DocumentMut::new();
    holder.insert("item", item.clone());
    let mut table: Map<String, Value> = toml::from_str(&holder.to_string()).ok()?;
    table.remove("item")
}

/// The first place in `value` that TOML cannot hold, as a path of member names.
pub fn unwritable(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Number(number) if number.is_u64() && number.as_i64().is_none() => {
            Some(String::new())
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| unwritable(item).map(|inner| format!("[{index}]{inner}"))),
        Value::Object(members) => members
            .iter()
            .find_map(|(name, member)| unwritable(member).map(|inner| format!(".{name}{inner}"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(value: Value) -> Definition {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_new_file_reads_back_as_written() {
        let check = |value: Value| {
            let wanted = definition(value);
            let text = render("", &wanted).unwrap();
            assert_eq!(parse(text.as_bytes()).unwrap(), wanted, "{text}");
        };
        check(json!({"agent_id": "claude", "provider_id": "self"}));
        check(json!({
            "agent_id": "claude", "provider_id": "anthropic", "endpoint_id": "eu",
            "model": "a \"quoted\" model\n", "env": {"A": "1", "B C": ""}, "args": ["-x", "y z"],
            "working_dir": "/tmp", "key": {"env": "WORK_KEY"},
            "hooks_config": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}],
                             "deep": {"er": {"n": 1, "f": 1.5, "b": true}}},
            "proxy_config": {"enabled": false}
        }));
    }

    #[test]
    fn comments_order_and_form_survive_a_change() {
        let before = "# my work\nmodel = 'old' # the good one\n\n# who\nagent_id = \"claude\"\nprovider_id = \"anthropic\"\n\
                      key = { env = \"WORK_KEY\" }  # never here\n\n# slow network\n[env]\n# ten minutes\nAPI_TIMEOUT_MS = '600000'\nB = \"2\"\n";
        let mut wanted = parse(before.as_bytes()).unwrap();
        wanted.model = Some("new".to_owned());
        wanted.env.remove("B");
        wanted.env.insert("C".to_owned(), "3".to_owned());
        let after = render(before, &wanted).unwrap();
        assert_eq!(
            after,
            "# my work\nmodel = \"new\" # the good one\n\n# who\nagent_id = \"claude\"\nprovider_id = \"anthropic\"\n\
             key = { env = \"WORK_KEY\" }  # never here\n\n# slow network\n[env]\n# ten minutes\nAPI_TIMEOUT_MS = '600000'\nC = \"3\"\n"
        );
        assert_eq!(parse(after.as_bytes()).unwrap(), wanted);
    }

    #[test]
    fn line_ends_a_mark_and_what_was_left_out_stay() {
        let before = "\u{feff}# mine\r\nagent_id = \"claude\"\r\nmodel = \"a\"\r\n";
        let mut wanted = parse(before.as_bytes()).unwrap();
        wanted.model = Some("b".to_owned());
        wanted.args = vec!["-x".to_owned()];
        assert_eq!(
            render(before, &wanted).unwrap(),
            "\u{feff}# mine\r\nagent_id = \"claude\"\r\nmodel = \"b\"\r\nargs = [\"-x\"]\r\n"
        );
    }

    #[test]
    fn nothing_to_change_changes_nothing() {
        let text =
            "agent_id='claude'\nprovider_id   = 'anthropic'\nhooks_config.Stop = []\n[env]\n";
        let wanted = parse(text.as_bytes()).unwrap();
        assert_eq!(render(text, &wanted).unwrap(), text);
    }

    #[test]
    fn a_changed_key_replaces_the_old_way() {
        let before = "agent_id = \"claude\"\nprovider_id = \"anthropic\"\nkey = { env = \"A\" }\n";
        let mut wanted = parse(before.as_bytes()).unwrap();
        wanted.key = definition(json!({"agent_id": "x", "key": {"store": "work"}})).key;
        let after = render(before, &wanted).unwrap();
        assert_eq!(parse(after.as_bytes()).unwrap(), wanted, "{after}");
        wanted.key = None;
        let without = render(&after, &wanted).unwrap();
        assert!(!without.contains("key"), "{without}");
    }

    #[test]
    fn a_fault_names_its_place() {
        let check = |text: &str, place: (usize, usize), part: &str| {
            let malformed = parse(text.as_bytes()).unwrap_err();
            assert_eq!(malformed.place, Some(place), "{text:?} {malformed:?}");
            assert!(malformed.message.contains(part), "{malformed:?}");
        };
        check("agent_id = \"claude\nx = 1", (1, 19), "");
        check("agent_id = \"claude\"\nmodle = \"x\"\n", (2, 1), "modle");
        check("agent_id = \"claude\"\nargs = \"-x\"\n", (2, 8), "sequence");
    }

    #[test]
    fn what_toml_cannot_hold_is_found() {
        assert_eq!(
            unwritable(&json!({"a": {"b": [1, null]}})),
            Some(".a.b[1]".to_owned())
        );
        assert_eq!(unwritable(&json!({"a": [1.5, "x", true]})), None);
        assert!(unwritable(&json!(u64::MAX)).is_some());
    }
}
