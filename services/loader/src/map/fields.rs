//! Reads a document's fields strictly: present, of the right type and in range, or a refusal that names the field.

use bson::{RawArray, RawBsonRef, RawDocument, RawDocumentBuf};
use pulseline_schemas::Position;
use pulseline_sql::periods::number_of;
use uuid::Uuid;

use super::guard;
use crate::document::Refusal;

/// A document whose fields are read strictly.
pub(crate) struct Fields<'a>(pub(crate) &'a RawDocument);

impl<'a> Fields<'a> {
    /// The value of a field; null counts as absent.
    pub(crate) fn optional(&self, key: &str) -> Result<Option<RawBsonRef<'a>>, Refusal> {
        match self.0.get(key) {
            Ok(Some(RawBsonRef::Null) | None) => Ok(None),
            Ok(some) => Ok(some),
            Err(error) => Err(Refusal::unmappable(format!("{key}: {error}"))),
        }
    }

    fn required(&self, key: &str) -> Result<RawBsonRef<'a>, Refusal> {
        self.optional(key)?
            .ok_or_else(|| Refusal::unmappable(format!("{key} is missing")))
    }

    pub(crate) fn text(&self, key: &str) -> Result<&'a str, Refusal> {
        as_text(key, self.required(key)?)
    }

    /// A text that may contain characters that PostgreSQL refuses.
    pub(crate) fn any_text(&self, key: &str) -> Result<&'a str, Refusal> {
        self.required(key)?.as_str().ok_or_else(|| wrong(key, "text"))
    }

    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<String>, Refusal> {
        self.optional(key)?
            .map(|value| as_text(key, value).map(str::to_owned))
            .transpose()
    }

    pub(crate) fn uuid(&self, key: &str) -> Result<Uuid, Refusal> {
        as_uuid(key, self.required(key)?)
    }

    /// An integer that fits the column.
    pub(crate) fn integer<T: TryFrom<i64>>(&self, key: &str) -> Result<T, Refusal> {
        as_integer(key, self.required(key)?)
    }

    pub(crate) fn optional_integer<T: TryFrom<i64>>(&self, key: &str) -> Result<Option<T>, Refusal> {
        self.optional(key)?
            .map(|value| as_integer(key, value))
            .transpose()
    }

    /// A date, as milliseconds since 1970.
    pub(crate) fn millis(&self, key: &str) -> Result<i64, Refusal> {
        as_millis(key, self.required(key)?)
    }

    /// A calendar date written as text, as days since 1970.
    pub(crate) fn optional_day(&self, key: &str) -> Result<Option<i32>, Refusal> {
        self.optional(key)?
            .map(|value| parse_day(key, as_text(key, value)?))
            .transpose()
    }

    pub(crate) fn optional_bytes(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        match self.optional(key)? {
            None => Ok(None),
            Some(RawBsonRef::Binary(binary)) => Ok(Some(binary.bytes.to_vec())),
            Some(_) => Err(wrong(key, "binary")),
        }
    }

    pub(crate) fn array(&self, key: &str) -> Result<&'a RawArray, Refusal> {
        self.required(key)?
            .as_array()
            .ok_or_else(|| wrong(key, "an array"))
    }

    pub(crate) fn document(&self, key: &str) -> Result<Fields<'a>, Refusal> {
        self.required(key)?
            .as_document()
            .map(Fields)
            .ok_or_else(|| wrong(key, "a document"))
    }

    /// A document as JSON text, for `jsonb`.
    /// What stands under `extra`: fields that the program which wrote the document did not know, by name.
    pub(crate) fn extra(&self) -> Result<Option<Fields<'a>>, Refusal> {
        match self.optional("extra")? {
            Some(RawBsonRef::Document(document)) => Ok(Some(Fields(document))),
            Some(_) => Err(wrong("extra", "a document")),
            None => Ok(None),
        }
    }

    /// This document as JSON text without the fields that `is_known`; none when nothing is left.
    pub(crate) fn json_without(
        &self,
        key: &str,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, Refusal> {
        let mut rest = RawDocumentBuf::new();
        for field in self.0 {
            let (name, value) = field.map_err(|error| Refusal::unmappable(format!("{key}: {error}")))?;
            if !is_known(name.as_str()) {
                rest.append(name, value);
            }
        }
        if rest.is_empty() {
            return Ok(None);
        }
        as_json(key, RawBsonRef::Document(&rest)).map(Some)
    }

    /// The event's position in Kafka.
    pub(crate) fn position(&self) -> Result<Position, Refusal> {
        let kafka = self.document("kafka")?;
        let position = Position {
            topic: kafka.text("topic")?.to_owned(),
            incarnation: kafka.integer("generation")?,
            partition: kafka.integer("partition")?,
            offset: kafka.integer("offset")?,
        };
        guard::position(&position)?;
        Ok(position)
    }

    /// `_id` as text, whatever its type: part of a dead letter's origin.
    pub(crate) fn id_text(&self) -> String {
        match self.0.get("_id") {
            Ok(Some(RawBsonRef::String(text))) => text.to_owned(),
            Ok(Some(RawBsonRef::ObjectId(id))) => id.to_hex(),
            Ok(Some(other)) => format!("{other:?}"),
            Ok(None) | Err(_) => String::from("?"),
        }
    }
}

pub(crate) fn wrong(key: &str, wanted: &str) -> Refusal {
    Refusal::unmappable(format!("{key} is not {wanted}"))
}

pub(crate) fn as_text<'a>(key: &str, value: RawBsonRef<'a>) -> Result<&'a str, Refusal> {
    let text = value.as_str().ok_or_else(|| wrong(key, "text"))?;
    // PostgreSQL's text cannot hold it.
    if text.contains('\0') {
        Err(wrong(key, "free of NUL characters"))
    } else {
        Ok(text)
    }
}

pub(crate) fn as_uuid(key: &str, value: RawBsonRef<'_>) -> Result<Uuid, Refusal> {
    let text = value.as_str().ok_or_else(|| wrong(key, "a UUID as text"))?;
    Uuid::try_parse(text).map_err(|_| wrong(key, "a UUID"))
}

pub(crate) fn as_integer<T: TryFrom<i64>>(key: &str, value: RawBsonRef<'_>) -> Result<T, Refusal> {
    let wide = match value {
        RawBsonRef::Int32(value) => i64::from(value),
        RawBsonRef::Int64(value) => value,
        _ => return Err(wrong(key, "an integer")),
    };
    T::try_from(wide).map_err(|_| Refusal::unmappable(format!("{key} = {wide} does not fit its column")))
}

pub(crate) fn as_millis(key: &str, value: RawBsonRef<'_>) -> Result<i64, Refusal> {
    value
        .as_datetime()
        .map(|date| date.timestamp_millis())
        .ok_or_else(|| wrong(key, "a date"))
}

/// JSON text, for `jsonb`.
pub(crate) fn as_json(key: &str, value: RawBsonRef<'_>) -> Result<String, Refusal> {
    if value.as_document().is_none() && value.as_array().is_none() {
        return Err(wrong(key, "a document or an array"));
    }
    let json = serde_json::to_string(&value);
    let json = json.map_err(|error| Refusal::unmappable(format!("{key}: {error}")))?;
    // PostgreSQL's jsonb cannot hold this character; refusing it here is better than an error of the server. An escaped
    // backslash begins no escape.
    if json.contains("\\u0000") && json.replace("\\\\", "").contains("\\u0000") {
        return Err(wrong(key, "free of NUL characters"));
    }
    Ok(json)
}

pub(crate) fn parse_day(key: &str, text: &str) -> Result<i32, Refusal> {
    let date = text.parse().map_err(|_| wrong(key, "a calendar date"))?;
    Ok(number_of(date))
}
