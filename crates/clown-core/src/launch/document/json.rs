use super::{LIST, Malformed, TABLE, WrongType};
use crate::place::line_and_column;
use jsonc_parser::cst::{CstArray, CstInputValue, CstObject, CstObjectProp, CstRootNode};
use jsonc_parser::{CollectOptions, ParseOptions, ast, parse_to_ast};
use serde_json::Value;

#[derive(Debug)]
pub struct JsonDocument {
    root: CstRootNode,
    /// As it was read, to tell places in it.
    text: String,
    with_comments: bool,
}

impl JsonDocument {
    pub fn parse(text: &str, with_comments: bool) -> Result<Self, Malformed> {
        let root = CstRootNode::parse(text, &options(with_comments)).map_err(|error| {
            let (line, column) = line_and_column(text, error.range().start);
            Malformed {
                line,
                column,
                message: error.kind().to_string(),
            }
        })?;
        Ok(Self {
            root,
            text: text.to_owned(),
            with_comments,
        })
    }

    pub fn get(&self, at: &[String]) -> Option<Value> {
        let Some((last, parents)) = at.split_last() else {
            return self.root.value()?.to_serde_value();
        };
        property(&self.object_at(parents)?, last)?
            .value()?
            .to_serde_value()
    }

    pub fn set(&mut self, at: &[String], value: &Value) -> Result<(), WrongType> {
        let Some((last, parents)) = at.split_last() else {
            return Ok(());
        };
        let object = self.object_or_create(parents)?;
        match property(&object, last) {
            Some(property) => property.set_value(input(value)),
            None => drop(object.append(last, input(value))),
        }
        Ok(())
    }

    pub fn append(&mut self, at: &[String], element: &Value) -> Result<(), WrongType> {
        let Some((last, parents)) = at.split_last() else {
            return Ok(());
        };
        let object = self.object_or_create(parents)?;
        match property(&object, last) {
            Some(property) => match property.array_value() {
                Some(array) => drop(array.append(input(element))),
                None => return Err(self.wrong_type(at, LIST)),
            },
            None => drop(object.append(last, CstInputValue::Array(vec![input(element)]))),
        }
        Ok(())
    }

    pub fn remove(&mut self, at: &[String]) {
        let Some((last, parents)) = at.split_last() else {
            return;
        };
        let object = self.object_at(parents);
        if let Some(property) = object.and_then(|object| property(&object, last)) {
            property.remove();
        }
    }

    pub fn remove_element(&mut self, at: &[String], index: usize) {
        let element = self
            .array_at(at)
            .and_then(|array| array.elements().into_iter().nth(index));
        if let Some(element) = element {
            element.remove();
        }
    }

    pub fn render(&self) -> String {
        let mut text = self.root.to_string();
        if !text.ends_with('\n') && self.text.trim().is_empty() {
            text.push('\n');
        }
        text
    }

    fn object_at(&self, at: &[String]) -> Option<CstObject> {
        let mut object = self.root.object_value()?;
        for name in at {
            object = property(&object, name)?.object_value()?;
        }
        Some(object)
    }

    fn array_at(&self, at: &[String]) -> Option<CstArray> {
        let (last, parents) = at.split_last()?;
        property(&self.object_at(parents)?, last)?.array_value()
    }

    fn object_or_create(&self, at: &[String]) -> Result<CstObject, WrongType> {
        let root = self.root.object_value_or_create();
        let mut object = root.ok_or_else(|| self.wrong_type(&[], TABLE))?;
        for (index, name) in at.iter().enumerate() {
            let property = match property(&object, name) {
                Some(property) => property,
                None => object.append(name, CstInputValue::Object(Vec::new())),
            };
            let next = property.object_value();
            object = next.ok_or_else(|| self.wrong_type(&at[..=index], TABLE))?;
        }
        Ok(object)
    }

    /// Tells the place in the text as it was read. What is at fault stood in it: whatever was
    /// added since has the right type.
    fn wrong_type(&self, at: &[String], needed: &'static str) -> WrongType {
        let parsed = parse_to_ast(
            &self.text,
            &CollectOptions::default(),
            &options(self.with_comments),
        );
        let root = parsed.ok().and_then(|parsed| parsed.value);
        let offset = root.as_ref().and_then(|root| offset_of(root, at));
        let (line, column) = line_and_column(&self.text, offset.unwrap_or(0));
        WrongType {
            line,
            column,
            at: at.to_vec(),
            needed,
        }
    }
}

fn options(with_comments: bool) -> ParseOptions {
    ParseOptions {
        allow_comments: with_comments,
        allow_trailing_commas: with_comments,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// Of several with one name, the last one counts, as it does for programs that read the file.
fn property(object: &CstObject, name: &str) -> Option<CstObjectProp> {
    let properties = object.properties().into_iter().rev();
    let mut named =
        properties.filter(|property| property.decoded_name().is_some_and(|found| found == name));
    named.next()
}

fn offset_of(value: &ast::Value<'_>, at: &[String]) -> Option<usize> {
    use jsonc_parser::common::Ranged as _;
    let mut value = value;
    for name in at {
        let ast::Value::Object(object) = value else {
            return None;
        };
        let mut properties = object.properties.iter().rev();
        value = &properties
            .find(|property| property.name.as_str() == name)?
            .value;
    }
    Some(value.range().start)
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(members) => CstInputValue::Object(
            members
                .iter()
                .map(|(name, member)| (name.clone(), input(member)))
                .collect(),
        ),
    }
}
