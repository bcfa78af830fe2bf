//! The canonical form of an event's content, which is hashed. It does not depend on the schema's version.
//!
//! Sorted keys, no nulls, no white space, unknown fields in place. An unknown field has the same hash as
//! in a later version that knows it.

use std::io::Write;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::time::{LocalDay, LocalMillis, UtcMillis};

/// Known fields by name.
pub(crate) type Fields<'a> = Vec<(&'static str, &'a dyn Hashed)>;

/// Fields that a writer may have and this version does not know, by name.
pub(crate) type Unknown = Map<String, Value>;

/// A value in the canonical form.
pub(crate) trait Hashed {
    /// True for what is left out: null, or a list that older writers do not have.
    fn is_absent(&self) -> bool {
        false
    }

    /// Writes the value. Lists of records find their items' unknown fields in `unknown` by index.
    fn hash(&self, json: &mut Vec<u8>, unknown: Option<&Unknown>);
}

/// SHA-256 over the canonical form, which is about so many bytes.
pub(crate) fn digest(known: &mut Fields<'_>, unknown: &Unknown, bytes: usize) -> [u8; 32] {
    let mut json = Vec::with_capacity(bytes);
    write_object(&mut json, known, Some(unknown));
    Sha256::digest(json).into()
}

/// Writes an object with its known fields sorted and the unknown ones between them.
pub(super) fn write_object(json: &mut Vec<u8>, known: &mut Fields<'_>, unknown: Option<&Unknown>) {
    known.sort_unstable_by_key(|(name, _)| *name);
    let is_unknown = |name: &str| known.iter().all(|(field, _)| *field != name);
    let mut others: Vec<_> = unknown
        .into_iter()
        .flatten()
        .filter(|(name, value)| is_unknown(name) && !value.is_null())
        .collect();
    others.sort_unstable_by_key(|(name, _)| *name);
    let mut others = others.into_iter().peekable();
    let mut first = true;
    json.push(b'{');
    for (name, field) in known.iter().filter(|(_, field)| !field.is_absent()) {
        while let Some((other, value)) = others.next_if(|(other, _)| other.as_str() < *name) {
            write_key(json, &mut first, other);
            write_value(json, value);
        }
        write_key(json, &mut first, name);
        field.hash(json, unknown.and_then(|unknown| unknown.get(*name)?.as_object()));
    }
    for (other, value) in others {
        write_key(json, &mut first, other);
        write_value(json, value);
    }
    json.push(b'}');
}

impl Hashed for Vec<Uuid> {
    fn hash(&self, json: &mut Vec<u8>, _: Option<&Unknown>) {
        write_list(json, self, |json, id| id.hash(json, None));
    }
}

impl<T: Hashed> Hashed for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn hash(&self, json: &mut Vec<u8>, unknown: Option<&Unknown>) {
        match self {
            Some(value) => value.hash(json, unknown),
            None => json.extend_from_slice(b"null"),
        }
    }
}

macro_rules! hashed {
    ($kind:ty, $shown:expr) => {
        impl Hashed for $kind {
            fn hash(&self, json: &mut Vec<u8>, _: Option<&Unknown>) {
                let shown: fn(&mut Vec<u8>, &Self) = $shown;
                shown(json, self);
            }
        }
    };
}

hashed!(i32, |json, value| append(json, format_args!("{value}")));
hashed!(i64, |json, value| append(json, format_args!("{value}")));
hashed!(UtcMillis, |json, value| append(json, format_args!("{}", value.0)));
hashed!(LocalMillis, |json, value| append(
    json,
    format_args!("{}", value.0)
));
hashed!(LocalDay, |json, value| append(json, format_args!("{}", value.0)));
// As a number that is unknown here is written: with a fraction or an exponent; what JSON has not is null.
hashed!(f64, |json, value| append(
    json,
    format_args!("{}", Value::from(*value))
));
hashed!(bool, |json, value| append(json, format_args!("{value}")));
hashed!(String, |json, value| write_text(json, value));
hashed!(Uuid, |json, id| {
    json.push(b'"');
    let text = &mut Uuid::encode_buffer();
    json.extend_from_slice(id.hyphenated().encode_lower(text).as_bytes());
    json.push(b'"');
});

fn write_list<T>(json: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    json.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write(json, item);
    }
    json.push(b']');
}

fn write_key(json: &mut Vec<u8>, first: &mut bool, name: &str) {
    if !std::mem::take(first) {
        json.push(b',');
    }
    write_text(json, name);
    json.push(b':');
}

fn write_value(json: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(fields) => write_object(json, &mut Fields::new(), Some(fields)),
        Value::Array(items) => write_list(json, items, write_value),
        Value::String(value) => write_text(json, value),
        Value::Null | Value::Bool(_) | Value::Number(_) => append(json, format_args!("{value}")),
    }
}

pub(super) fn write_text(json: &mut Vec<u8>, text: &str) {
    if text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
    } else {
        append(json, format_args!("{}", Value::from(text)));
    }
}

/// Writing into memory cannot fail.
fn append(json: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = json.write_fmt(text);
}
