//! A value of any Avro type, according to the writer's schema.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

/// Deepest nesting of an unknown field: a recursive schema must not exhaust the stack.
const DEPTH_MAX: usize = 32;
/// Most items of an unknown array: items may have no bytes, so the datum's size does not limit them.
const ITEMS_MAX: usize = 100_000;

/// A decoded value.
#[derive(Debug)]
pub(super) enum Any {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Any>),
    Record(Vec<(String, Any)>),
}

impl Any {
    pub(super) fn long<E: Error>(self) -> Result<i64, E> {
        match self {
            Self::Int(value) => Ok(value),
            other => Err(other.unexpected("an integer")),
        }
    }

    pub(super) fn int<E: Error>(self) -> Result<i32, E> {
        let value = self.long()?;
        i32::try_from(value).map_err(|_| E::custom(format_args!("{value} is no 32-bit integer")))
    }

    /// Accepts integers too.
    pub(super) fn float<E: Error>(self) -> Result<f64, E> {
        match self {
            Self::Float(value) => Ok(value),
            #[allow(
                clippy::cast_precision_loss,
                reason = "beyond 2^53 the nearest float is meant"
            )]
            Self::Int(value) => Ok(value as f64),
            other => Err(other.unexpected("a number")),
        }
    }

    pub(super) fn bool<E: Error>(self) -> Result<bool, E> {
        match self {
            Self::Bool(value) => Ok(value),
            other => Err(other.unexpected("a boolean")),
        }
    }

    pub(super) fn text<E: Error>(self) -> Result<String, E> {
        match self {
            Self::Text(value) => Ok(value),
            other => Err(other.unexpected("a string")),
        }
    }

    /// UUIDs are text; the 16 bytes are accepted as well.
    pub(super) fn uuid<E: Error>(self) -> Result<Uuid, E> {
        match self {
            Self::Text(text) => Uuid::parse_str(&text).map_err(E::custom),
            Self::Bytes(bytes) => Uuid::from_slice(&bytes).map_err(E::custom),
            other => Err(other.unexpected("a UUID")),
        }
    }

    pub(super) fn list<E: Error>(self) -> Result<Vec<Self>, E> {
        match self {
            Self::List(items) => Ok(items),
            other => Err(other.unexpected("an array")),
        }
    }

    /// None for null, else the result of `read`.
    pub(super) fn maybe<T, E: Error>(self, read: impl FnOnce(Self) -> Result<T, E>) -> Result<Option<T>, E> {
        match self {
            Self::Null => Ok(None),
            other => read(other).map(Some),
        }
    }

    /// As JSON: bytes become hexadecimal text, non-finite numbers null.
    pub(super) fn into_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::from(value),
            Self::Float(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
            Self::Text(value) => Value::String(value),
            Self::Bytes(bytes) => Value::String(hexadecimal(&bytes)),
            Self::List(items) => Value::Array(items.into_iter().map(Self::into_json).collect()),
            Self::Record(fields) => Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name, value.into_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    fn unexpected<E: Error>(&self, wanted: &str) -> E {
        let found = match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "an array",
            Self::Record(_) => "a record",
        };
        E::custom(format_args!("{found} where {wanted} is expected"))
    }
}

/// Lower-case hexadecimal text.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnySeed(0).deserialize(deserializer)
    }
}

/// Reads a value at this depth.
struct AnySeed(usize);

impl AnySeed {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        if self.0 == DEPTH_MAX {
            Err(E::custom("nested too deeply"))
        } else {
            Ok(Self(self.0 + 1))
        }
    }
}

impl<'de> DeserializeSeed<'de> for AnySeed {
    type Value = Any;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Any, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnySeed {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Any, E> {
        Ok(Any::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Any, E> {
        Ok(Any::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Any, E> {
        Ok(Any::Int(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Any, E> {
        Ok(Any::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Any, E> {
        Ok(Any::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Any, E> {
        Ok(Any::Text(value))
    }

    fn visit_byte_buf<E: Error>(self, value: Vec<u8>) -> Result<Any, E> {
        Ok(Any::Bytes(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Any, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper()?)? {
            if list.len() == ITEMS_MAX {
                return Err(A::Error::custom(format_args!("more than {ITEMS_MAX} items")));
            }
            list.push(item);
        }
        Ok(Any::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Any, A::Error> {
        let mut record = Vec::new();
        while let Some(Symbol(name)) = fields.next_key()? {
            record.push((name, fields.next_value_seed(self.deeper()?)?));
        }
        Ok(Any::Record(record))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, symbol: A) -> Result<Any, A::Error> {
        let (name, variant) = symbol.variant::<Symbol>()?;
        variant.unit_variant()?;
        Ok(Any::Text(name.0))
    }
}

/// The name of a field, a key or an enum's symbol; Avro hands it out as an identifier only.
struct Symbol(String);

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Symbol;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a symbol")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Symbol, E> {
                Ok(Symbol(name.to_owned()))
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}
