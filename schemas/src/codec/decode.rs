//! Decodes records from Avro with the writer's schema.

use std::sync::Once;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::{ResolvedSchema, SchemaKind};
use serde::de::{Deserialize, DeserializeSeed, Deserializer};

use super::canonical::Unknown;
use super::record::{Record, RecordSeed};

/// Most bytes that a length inside a datum may ask for. A few bytes can ask for the crate's default of 512 MB;
/// no message that a broker accepts by default is larger than this.
pub const ALLOCATION_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest error text to keep: Avro's errors quote whole schemas.
const REASON_CHARS_MAX: usize = 300;

/// An unusable Avro schema.
#[derive(Debug, thiserror::Error)]
#[error("unusable schema: {0}")]
pub struct SchemaError(pub String);

/// The schema that an event was written with.
#[derive(Debug)]
pub struct WriterSchema {
    schema: Schema,
    record: String,
}

impl WriterSchema {
    /// Parses a schema as the registry hands it out.
    ///
    /// # Errors
    /// When it is not an Avro record, or refers to undefined types.
    pub fn parse(json: &str) -> Result<Self, SchemaError> {
        let refused = |error: apache_avro::Error| SchemaError(shortened(&error.to_string()));
        let schema = Schema::parse_str(json).map_err(refused)?;
        ResolvedSchema::try_from(&schema).map_err(refused)?;
        match &schema {
            Schema::Record(record) => Ok(Self {
                record: record.name.name().to_owned(),
                schema,
            }),
            other => Err(SchemaError(format!(
                "{:?} is not a record",
                SchemaKind::from(other)
            ))),
        }
    }

    /// Name of the record, without its namespace.
    #[must_use]
    pub fn record(&self) -> &str {
        &self.record
    }
}

/// Bytes that are not an event of their stream: the message becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The schema describes another kind of event.
    #[error("the schema describes a {found}, not the {expected} of this stream")]
    WrongRecord {
        /// What the stream carries.
        expected: &'static str,
        /// What the writer's schema describes.
        found: String,
    },
    /// The bytes do not follow the schema, or a value is missing or out of its type's range.
    #[error("{0}")]
    Malformed(String),
    /// The datum ended before the bytes did.
    #[error("{0} bytes left over behind the datum")]
    Trailing(usize),
}

/// A record with what was unknown in it; the form in which the reader of datums can return both.
struct Whole<R>(R, Unknown);

impl<'de, R: Record> Deserialize<'de> for Whole<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut extra = Unknown::new();
        let made = RecordSeed::<R>::new(&mut extra).deserialize(deserializer)?;
        Ok(Self(made, extra))
    }
}

/// Reads exactly one record, with the fields that are unknown here.
pub(crate) fn read<R: Record>(writer: &WriterSchema, mut datum: &[u8]) -> Result<(R, Unknown), DecodeError> {
    lower_allocation_cap();
    if writer.record != R::NAME {
        return Err(DecodeError::WrongRecord {
            expected: R::NAME,
            found: writer.record.clone(),
        });
    }
    let malformed = |error: apache_avro::Error| DecodeError::Malformed(shortened(&error.to_string()));
    let reader = GenericDatumReader::builder(&writer.schema)
        .human_readable(false)
        .build()
        .map_err(malformed)?;
    let Whole(made, extra) = reader.read_deser::<Whole<R>>(&mut datum).map_err(malformed)?;
    if datum.is_empty() {
        Ok((made, extra))
    } else {
        Err(DecodeError::Trailing(datum.len()))
    }
}

fn lower_allocation_cap() {
    static LOWERED: Once = Once::new();
    LOWERED.call_once(|| {
        apache_avro::util::max_allocation_bytes(ALLOCATION_BYTES_MAX);
    });
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
