//! Reads records field by field and keeps what it does not know.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::any::Any;

/// Fields that a writer may have and this version does not know, by name.
pub(super) type Extra = Map<String, Value>;

/// A record that is filled field by field, in whatever order and number the writer's schema has them.
pub(super) trait Record: Default {
    /// What the fields make once all are read.
    type Made;
    /// The fields that are known.
    const FIELDS: &'static [&'static str];

    /// Reads the value of the known field at `index`; `extra` takes what is unknown inside of it.
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        index: usize,
        fields: &mut A,
        extra: &mut Extra,
    ) -> Result<(), A::Error>;

    /// The finished value.
    fn make<E: Error>(self) -> Result<Self::Made, E>;
}

/// A field that must be there.
pub(super) fn required<T, E: Error>(value: Option<T>, name: &'static str) -> Result<T, E> {
    value.ok_or_else(|| E::missing_field(name))
}

/// Reads one record; what is unknown goes to `extra`.
pub(super) struct RecordSeed<'x, R> {
    extra: &'x mut Extra,
    record: PhantomData<R>,
}

impl<'x, R> RecordSeed<'x, R> {
    pub(super) fn new(extra: &'x mut Extra) -> Self {
        Self {
            extra,
            record: PhantomData,
        }
    }
}

impl<'de, R: Record> DeserializeSeed<'de> for RecordSeed<'_, R> {
    type Value = R::Made;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R::Made, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Record> Visitor<'de> for RecordSeed<'_, R> {
    type Value = R::Made;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<R::Made, A::Error> {
        let mut record = R::default();
        while let Some(key) = fields.next_key_seed(KeySeed(R::FIELDS))? {
            match key {
                Key::Known(index) => record.read(index, &mut fields, self.extra)?,
                Key::Unknown(name) => {
                    let value = fields.next_value::<Any>()?.into_json();
                    // Null says nothing: the field might as well be absent.
                    if !value.is_null() {
                        self.extra.insert(name, value);
                    }
                }
            }
        }
        record.make()
    }
}

/// Reads an array of records. What is unknown in an item goes to `extra[name][index of the item]`.
pub(super) struct ListSeed<'x, R> {
    name: &'static str,
    extra: &'x mut Extra,
    record: PhantomData<R>,
}

impl<'x, R> ListSeed<'x, R> {
    pub(super) fn new(name: &'static str, extra: &'x mut Extra) -> Self {
        Self {
            name,
            extra,
            record: PhantomData,
        }
    }
}

impl<'de, R: Record> DeserializeSeed<'de> for ListSeed<'_, R> {
    type Value = Vec<R::Made>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Record> Visitor<'de> for ListSeed<'_, R> {
    type Value = Vec<R::Made>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the array `{}`", self.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        // Grown as items arrive: the announced number may be a lie.
        let mut list = Vec::new();
        let mut unknown = Extra::new();
        let mut unknown_by_index = Extra::new();
        while let Some(item) = items.next_element_seed(RecordSeed::<R>::new(&mut unknown))? {
            if !unknown.is_empty() {
                unknown_by_index.insert(
                    list.len().to_string(),
                    Value::Object(std::mem::take(&mut unknown)),
                );
            }
            list.push(item);
        }
        if !unknown_by_index.is_empty() {
            self.extra
                .insert(self.name.to_owned(), Value::Object(unknown_by_index));
        }
        Ok(list)
    }
}

enum Key {
    Known(usize),
    Unknown(String),
}

/// Recognises a field's name without copying it.
struct KeySeed(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
        let known = self.0.iter().position(|field| *field == name);
        Ok(known.map_or_else(|| Key::Unknown(name.to_owned()), Key::Known))
    }
}
