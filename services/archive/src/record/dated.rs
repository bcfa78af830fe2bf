//! `{"dateTime": …, "value": …}`, the record of every file of samples, parsed directly because there are millions.

use std::fmt;
use std::marker::PhantomData;

use pulseline_schemas::LocalMillis;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::Unknown;
use crate::value::{Refusal, Stamp};

/// A time and a value.
#[derive(Debug)]
pub(super) struct Dated<V> {
    at: Stamp,
    value: Option<V>,
    pub(super) unknown: Option<Box<Unknown>>,
}

impl<V> Dated<V> {
    pub(super) fn at(&self) -> Result<LocalMillis, Refusal> {
        self.at.required("dateTime")
    }

    pub(super) fn take_value(&mut self) -> Result<V, Refusal> {
        self.value.take().ok_or_else(|| Refusal::missing("value"))
    }
}

/// Keeps an unknown field.
pub(super) fn keep<'de, A: MapAccess<'de>>(
    map: &mut A,
    unknown: &mut Option<Box<Unknown>>,
    name: String,
) -> Result<(), A::Error> {
    let value: Value = map.next_value()?;
    unknown.get_or_insert_default().insert(name, value);
    Ok(())
}

enum Key {
    At,
    Value,
    Unknown(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "dateTime" => Key::At,
                    "value" => Key::Value,
                    _ => Key::Unknown(name.to_owned()),
                })
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Dated<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DatedVisitor<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for DatedVisitor<V> {
            type Value = Dated<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value at a time")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dated<V>, A::Error> {
                let mut dated = Dated {
                    at: Stamp::Missing,
                    value: None,
                    unknown: None,
                };
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::At => dated.at = map.next_value()?,
                        Key::Value => dated.value = Some(map.next_value()?),
                        Key::Unknown(name) => keep(&mut map, &mut dated.unknown, name)?,
                    }
                }
                Ok(dated)
            }
        }

        deserializer.deserialize_map(DatedVisitor(PhantomData))
    }
}
