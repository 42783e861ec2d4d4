use super::{LIST, Malformed, TABLE, WrongType};
use crate::place::line_and_column;
use serde_json::{Map, Number, Value};
use std::ops::Range;
use toml_edit::{Array, Document, DocumentMut, InlineTable, Item, Table, TableLike};

#[derive(Debug)]
pub struct TomlDocument {
    document: DocumentMut,
    /// As it was read: it still knows the places, and `document` no longer does.
    original: Document<String>,
}

impl TomlDocument {
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let original = Document::parse(text.to_owned()).map_err(|error| {
            let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
            Malformed {
                line,
                column,
                message: error.message().trim_end().replace('\n', "; "),
            }
        })?;
        Ok(Self {
            document: original.clone().into_mut(),
            original,
        })
    }

    pub fn get(&self, at: &[String]) -> Option<Value> {
        let mut item = self.document.as_item();
        for name in at {
            item = item.as_table_like()?.get(name)?;
        }
        value_of(item)
    }

    pub fn set(&mut self, at: &[String], value: &Value) -> Result<(), WrongType> {
        // There is no null in TOML; the nearest is to say nothing.
        let Some(value) = to_toml(value) else {
            return Ok(());
        };
        let (Some(last), wrong) = (at.last(), self.wrong_parent(at)) else {
            return Ok(());
        };
        let Some(table) = self.parent_or_create(at) else {
            return Err(wrong);
        };
        match table.get_mut(last).and_then(Item::as_value_mut) {
            Some(present) => {
                let decor = present.decor().clone();
                *present = value;
                *present.decor_mut() = decor;
            }
            None => drop(table.insert(last, Item::Value(value))),
        }
        Ok(())
    }

    pub fn append(&mut self, at: &[String], element: &Value) -> Result<(), WrongType> {
        let mut elements = match self.get(at) {
            Some(Value::Array(elements)) => elements,
            Some(_) => return Err(self.wrong_type(at, LIST)),
            None => Vec::new(),
        };
        elements.push(element.clone());
        self.set_list(at, &elements)
    }

    pub fn remove(&mut self, at: &[String]) {
        let Some((last, parents)) = at.split_last() else {
            return;
        };
        let mut item = self.document.as_item_mut();
        for name in parents {
            let next = item
                .as_table_like_mut()
                .and_then(|table| table.get_mut(name));
            let Some(next) = next else { return };
            item = next;
        }
        if let Some(table) = item.as_table_like_mut() {
            table.remove(last);
        }
    }

    pub fn remove_element(&mut self, at: &[String], index: usize) {
        if let Some(Value::Array(mut elements)) = self.get(at)
            && index < elements.len()
        {
            elements.remove(index);
            // It was read from there, so the way there is one of tables.
            let _ = self.set_list(at, &elements);
        }
    }

    pub fn render(&self) -> String {
        self.document.to_string()
    }

    /// A list of tables has a form of its own in TOML, so the list is written anew.
    fn set_list(&mut self, at: &[String], elements: &[Value]) -> Result<(), WrongType> {
        let is_list_of_tables = self.item_at(at).is_some_and(Item::is_array_of_tables);
        if is_list_of_tables {
            self.remove(at);
        }
        self.set(at, &Value::Array(elements.to_vec()))
    }

    fn item_at(&self, at: &[String]) -> Option<&Item> {
        let mut item = self.document.as_item();
        for name in at {
            item = item.as_table_like()?.get(name)?;
        }
        Some(item)
    }

    fn parent_or_create(&mut self, at: &[String]) -> Option<&mut dyn TableLike> {
        let (_, parents) = at.split_last()?;
        let mut item = self.document.as_item_mut();
        for name in parents {
            let inline = item.is_inline_table();
            let table = item.as_table_like_mut()?;
            item = table.entry(name).or_insert_with(|| new_table(inline));
        }
        item.as_table_like_mut()
    }

    /// The error to give if the way to `at` is blocked.
    fn wrong_parent(&self, at: &[String]) -> WrongType {
        let blocked = (1..at.len()).find(|length| {
            self.item_at(&at[..*length])
                .is_some_and(|item| !item.is_table_like())
        });
        self.wrong_type(&at[..blocked.unwrap_or(0)], TABLE)
    }

    fn wrong_type(&self, at: &[String], needed: &'static str) -> WrongType {
        let span = self.original_span(at).unwrap_or(0..0);
        let (line, column) = line_and_column(self.original.raw(), span.start);
        WrongType {
            line,
            column,
            at: at.to_vec(),
            needed,
        }
    }

    fn original_span(&self, at: &[String]) -> Option<Range<usize>> {
        let mut item = self.original.as_item();
        for name in at {
            item = item.as_table_like()?.get(name)?;
        }
        item.span()
    }
}

fn new_table(inline: bool) -> Item {
    if inline {
        return Item::Value(InlineTable::new().into());
    }
    let mut table = Table::new();
    // Without a header of its own, as long as it holds nothing but tables.
    table.set_implicit(true);
    Item::Table(table)
}

fn value_of(item: &Item) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(value) => Some(plain(value)),
        Item::Table(table) => Some(object(table)),
        Item::ArrayOfTables(tables) => Some(Value::Array(
            tables.iter().map(|table| object(table)).collect(),
        )),
    }
}

fn object(table: &dyn TableLike) -> Value {
    let members = table
        .iter()
        .filter_map(|(name, item)| Some((name.to_owned(), value_of(item)?)));
    Value::Object(members.collect())
}

fn plain(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::String(text.value().clone()),
        toml_edit::Value::Integer(number) => Value::from(*number.value()),
        toml_edit::Value::Float(number) => {
            Number::from_f64(*number.value()).map_or(Value::Null, Value::Number)
        }
        toml_edit::Value::Boolean(flag) => Value::Bool(*flag.value()),
        toml_edit::Value::Datetime(date) => Value::String(date.value().to_string()),
        toml_edit::Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        toml_edit::Value::InlineTable(table) => object(table),
    }
}

fn to_toml(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().filter_map(to_toml).collect::<Array>().into(),
        Value::Object(members) => inline_table(members).into(),
    })
}

fn inline_table(members: &Map<String, Value>) -> InlineTable {
    members
        .iter()
        .filter_map(|(name, member)| Some((name.as_str(), to_toml(member)?)))
        .collect()
}
