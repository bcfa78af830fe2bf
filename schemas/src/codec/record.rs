//! Reads records field by field and keeps unknown fields.

use std::fmt;
use std::marker::PhantomData;

use bson::RawDocumentBuf;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde_json::Value;

use super::any::Any;
use super::canonical::{Fields, Unknown};

/// A record declared by `record!`.
pub(crate) trait Record: Sized {
    /// Name of its Avro record.
    const NAME: &'static str;
    /// Fields of the envelope, where there is one.
    const ENVELOPE: &'static [&'static str];
    /// The other fields that are known.
    const FIELDS: &'static [&'static str];
    /// The record while its fields arrive, in whatever order and number the writer's schema has them.
    type Partial: Default;

    /// Reads the value of the known field at `index`, those of the envelope counted first; `unknown` takes what is unknown inside of it.
    fn read<'de, A: MapAccess<'de>>(
        partial: &mut Self::Partial,
        index: usize,
        fields: &mut A,
        unknown: &mut Unknown,
    ) -> Result<(), A::Error>;

    /// The finished record.
    fn make<E: Error>(partial: Self::Partial) -> Result<Self, E>;

    /// Writes its fields in the schema's order.
    fn write<S: SerializeStruct>(&self, record: &mut S) -> Result<(), S::Error>;

    /// Lists its fields for the canonical form.
    fn list<'a>(&'a self, fields: &mut Fields<'a>);

    /// Puts its fields into a document.
    fn store(&self, document: &mut RawDocumentBuf);
}

/// Reads one record; unknown fields go to `unknown`.
pub(super) struct RecordSeed<'x, R> {
    unknown: &'x mut Unknown,
    record: PhantomData<R>,
}

impl<'x, R> RecordSeed<'x, R> {
    pub(super) fn new(unknown: &'x mut Unknown) -> Self {
        Self {
            unknown,
            record: PhantomData,
        }
    }
}

impl<'de, R: Record> DeserializeSeed<'de> for RecordSeed<'_, R> {
    type Value = R;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Record> Visitor<'de> for RecordSeed<'_, R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<R, A::Error> {
        let mut partial = R::Partial::default();
        while let Some(key) = fields.next_key_seed(KeySeed(PhantomData::<R>))? {
            match key {
                Key::Known(index) => R::read(&mut partial, index, &mut fields, self.unknown)?,
                Key::Unknown(name) => {
                    let value = fields.next_value::<Any>()?.into_json();
                    // Null means absent.
                    if !value.is_null() {
                        self.unknown.insert(name, value);
                    }
                }
            }
        }
        R::make(partial)
    }
}

/// Reads an array of records. What is unknown in an item goes to `unknown[name][index of the item]`.
pub(super) struct ListSeed<'x, R> {
    name: &'static str,
    unknown: &'x mut Unknown,
    record: PhantomData<R>,
}

impl<'x, R> ListSeed<'x, R> {
    pub(super) fn new(name: &'static str, unknown: &'x mut Unknown) -> Self {
        Self {
            name,
            unknown,
            record: PhantomData,
        }
    }
}

impl<'de, R: Record> DeserializeSeed<'de> for ListSeed<'_, R> {
    type Value = Vec<R>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Record> Visitor<'de> for ListSeed<'_, R> {
    type Value = Vec<R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the array `{}`", self.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        // Grown as items arrive: the announced number is untrusted.
        let mut list = Vec::new();
        let mut unknown = Unknown::new();
        let mut unknown_by_index = Unknown::new();
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
            self.unknown
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
struct KeySeed<R>(PhantomData<R>);

impl<'de, R: Record> DeserializeSeed<'de> for KeySeed<R> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<R: Record> Visitor<'_> for KeySeed<R> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
        let known = R::ENVELOPE
            .iter()
            .chain(R::FIELDS)
            .position(|field| *field == name);
        Ok(known.map_or_else(|| Key::Unknown(name.to_owned()), Key::Known))
    }
}
