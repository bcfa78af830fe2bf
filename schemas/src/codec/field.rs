//! Kinds of fields: how each is read, written, hashed and stored.

use bson::raw::{CStr, RawArrayBuf, RawDocumentBuf};
use bson::{DateTime, RawBson};
use serde::de::{Error, MapAccess};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;
use uuid::Uuid;

use super::any::Any;
use super::canonical::{Fields, Hashed, Unknown, write_object, write_text};
use super::record::{ListSeed, Record};
use crate::time::{LocalDay, LocalMillis, UtcMillis, date_text};

/// A kind of field.
pub(crate) trait Field: Hashed + Sized {
    /// Reads the value; `unknown` takes what is unknown inside of it.
    fn read<'de, A: MapAccess<'de>>(
        fields: &mut A,
        name: &'static str,
        unknown: &mut Unknown,
    ) -> Result<Self, A::Error>;

    /// What it is when the writer does not have it; none = it must be there.
    fn missing() -> Option<Self> {
        None
    }

    /// Writes the value as Avro.
    fn write<S: SerializeStruct>(&self, record: &mut S, name: &'static str) -> Result<(), S::Error>;

    /// Puts the value into a document.
    fn store(&self, document: &mut RawDocumentBuf, name: &CStr);
}

/// The value, or what it is when it is missing.
pub(crate) fn required<T: Field, E: Error>(value: Option<T>, name: &'static str) -> Result<T, E> {
    value.or_else(T::missing).ok_or_else(|| E::missing_field(name))
}

/// A value that stands for itself: one Avro value, one BSON value, one canonical text.
trait Plain: Sized {
    fn from_any<E: Error>(any: Any) -> Result<Self, E>;
    fn serialized<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    fn to_bson(&self) -> RawBson;
}

struct Datum<'a, T>(&'a T);

impl<T: Plain> Serialize for Datum<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialized(serializer)
    }
}

macro_rules! plain {
    ($kind:ty, $read:expr, $shown:expr, $bson:expr) => {
        impl Plain for $kind {
            fn from_any<E: Error>(any: Any) -> Result<Self, E> {
                let read: fn(Any) -> Result<Self, E> = $read;
                read(any)
            }

            fn serialized<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[allow(
                    clippy::redundant_closure_call,
                    reason = "the closure is the macro's argument"
                )]
                ($shown)(self).serialize(serializer)
            }

            fn to_bson(&self) -> RawBson {
                let bson: fn(&Self) -> RawBson = $bson;
                bson(self)
            }
        }

        impl Field for $kind {
            fn read<'de, A: MapAccess<'de>>(
                fields: &mut A,
                _: &'static str,
                _: &mut Unknown,
            ) -> Result<Self, A::Error> {
                Self::from_any(fields.next_value::<Any>()?)
            }

            fn write<S: SerializeStruct>(&self, record: &mut S, name: &'static str) -> Result<(), S::Error> {
                record.serialize_field(name, &Datum(self))
            }

            fn store(&self, document: &mut RawDocumentBuf, name: &CStr) {
                document.append(name, self.to_bson());
            }
        }

        impl Field for Option<$kind> {
            fn read<'de, A: MapAccess<'de>>(
                fields: &mut A,
                _: &'static str,
                _: &mut Unknown,
            ) -> Result<Self, A::Error> {
                fields.next_value::<Any>()?.maybe(<$kind>::from_any)
            }

            fn missing() -> Option<Self> {
                Some(None)
            }

            fn write<S: SerializeStruct>(&self, record: &mut S, name: &'static str) -> Result<(), S::Error> {
                record.serialize_field(name, &self.as_ref().map(Datum))
            }

            fn store(&self, document: &mut RawDocumentBuf, name: &CStr) {
                if let Some(value) = self {
                    document.append(name, value.to_bson());
                }
            }
        }
    };
}

plain!(i32, Any::int, |value: &i32| *value, |value| RawBson::Int32(
    *value
));
plain!(i64, Any::long, |value: &i64| *value, |value| RawBson::Int64(
    *value
));
plain!(f64, Any::float, |value: &f64| *value, |value| RawBson::Double(
    *value
));
plain!(bool, Any::bool, |value: &bool| *value, |value| RawBson::Boolean(
    *value
));
plain!(String, Any::text, String::clone, |value| RawBson::String(
    value.clone()
));
plain!(Uuid, Any::uuid, |value: &Uuid| id_text(*value), |value| {
    RawBson::String(id_text(*value))
});
// An instant and a wall clock are both dates; the wall clock stands there as if it were in UTC.
plain!(
    UtcMillis,
    |any| any.long().map(UtcMillis),
    |value: &UtcMillis| value.0,
    |value| RawBson::DateTime(DateTime::from_millis(value.0))
);
plain!(
    LocalMillis,
    |any| any.long().map(LocalMillis),
    |value: &LocalMillis| value.0,
    |value| RawBson::DateTime(DateTime::from_millis(value.0))
);
plain!(
    LocalDay,
    |any| any.int().map(LocalDay),
    |value: &LocalDay| value.0,
    |value| RawBson::String(date_text(value.0))
);

fn id_text(id: Uuid) -> String {
    id.hyphenated().to_string()
}

impl Field for Vec<Uuid> {
    fn read<'de, A: MapAccess<'de>>(
        fields: &mut A,
        _: &'static str,
        _: &mut Unknown,
    ) -> Result<Self, A::Error> {
        fields
            .next_value::<Any>()?
            .list()?
            .into_iter()
            .map(Any::uuid)
            .collect()
    }

    fn missing() -> Option<Self> {
        Some(Self::new())
    }

    fn write<S: SerializeStruct>(&self, record: &mut S, name: &'static str) -> Result<(), S::Error> {
        record.serialize_field(name, &self.iter().map(Datum).collect::<Vec<_>>())
    }

    fn store(&self, document: &mut RawDocumentBuf, name: &CStr) {
        document.append(name, self.iter().map(|id| id_text(*id)).collect::<RawArrayBuf>());
    }
}

/// A record in the shape of its Avro type: flat envelope, fields in the schema's order.
pub(super) struct Whole<'a, R>(pub(super) &'a R);

impl<R: Record> Serialize for Whole<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct(R::NAME, R::ENVELOPE.len() + R::FIELDS.len())?;
        self.0.write(&mut record)?;
        record.end()
    }
}

struct WholeList<'a, R>(&'a [R]);

impl<R: Record> Serialize for WholeList<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Whole))
    }
}

impl<R: Record> Field for Vec<R> {
    fn read<'de, A: MapAccess<'de>>(
        fields: &mut A,
        name: &'static str,
        unknown: &mut Unknown,
    ) -> Result<Self, A::Error> {
        fields.next_value_seed(ListSeed::<R>::new(name, unknown))
    }

    fn write<S: SerializeStruct>(&self, record: &mut S, name: &'static str) -> Result<(), S::Error> {
        record.serialize_field(name, &WholeList(self.as_slice()))
    }

    fn store(&self, document: &mut RawDocumentBuf, name: &CStr) {
        let items = self.iter().map(|item| {
            let mut document = RawDocumentBuf::new();
            item.store(&mut document);
            document
        });
        document.append(name, items.collect::<RawArrayBuf>());
    }
}

impl<R: Record> Hashed for Vec<R> {
    fn hash(&self, json: &mut Vec<u8>, unknown: Option<&Unknown>) {
        let mut fields = Fields::with_capacity(R::FIELDS.len());
        json.push(b'[');
        for (index, item) in self.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            fields.clear();
            item.list(&mut fields);
            let of_item = unknown.and_then(|unknown| unknown.get(&index.to_string())?.as_object());
            write_object(json, &mut fields, of_item);
        }
        json.push(b']');
    }
}

/// Extra fields of a source: the unchanged text of a JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra(pub Option<String>);

impl Field for Extra {
    fn read<'de, A: MapAccess<'de>>(
        fields: &mut A,
        name: &'static str,
        _: &mut Unknown,
    ) -> Result<Self, A::Error> {
        let text = fields.next_value::<Any>()?.maybe(Any::text::<A::Error>)?;
        match text.as_deref().map(serde_json::from_str::<Value>) {
            None | Some(Ok(Value::Object(_))) => Ok(Self(text)),
            Some(_) => Err(A::Error::custom(format_args!("`{name}` is no JSON object"))),
        }
    }

    fn missing() -> Option<Self> {
        Some(Self(None))
    }

    fn write<S: SerializeStruct>(&self, record: &mut S, name: &'static str) -> Result<(), S::Error> {
        record.serialize_field(name, &self.0)
    }

    /// Stands in the document together with what this version does not know: see `to_document`.
    fn store(&self, _: &mut RawDocumentBuf, _: &CStr) {}
}

impl Hashed for Extra {
    fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    fn hash(&self, json: &mut Vec<u8>, _: Option<&Unknown>) {
        write_text(json, self.0.as_deref().unwrap_or_default());
    }
}
