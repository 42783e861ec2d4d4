use serde::de::{Error, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// A model that a provider is known to have: `"id"`, or `{ id = "id", context = 200000 }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// As the provider calls it.
    pub id: String,
    /// How many tokens fit into it at once, what it is asked and what it answers together, as far
    /// as that is known.
    pub context: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    id: String,
    context: Option<u64>,
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModelVisitor)
    }
}

/// By hand, so that an error says what is wrong inside of a table.
struct ModelVisitor;

impl<'de> Visitor<'de> for ModelVisitor {
    type Value = Model;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a model's id, or a table with `id` and `context`")
    }

    fn visit_str<E: Error>(self, id: &str) -> Result<Model, E> {
        Ok(Model {
            id: id.to_owned(),
            context: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Model, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Model {
            id: table.id,
            context: table.context,
        })
    }
}
