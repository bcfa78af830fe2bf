//! Refused records with their bytes and place, for the dead letters.

use pulseline_schemas::Stream;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::tree::ArchiveEntry;

/// Most bytes to keep of a record.
pub const REFUSED_BYTES_MAX: usize = 1 << 20;

/// A refused record or reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Path below the root.
    pub file: String,
    /// The file's stream.
    pub stream: Stream,
    /// SHA-256 of the file's path, its person and the record's bytes, in hexadecimal. With the offset it identifies the
    /// record permanently, even if the file changes or another person has an equal file.
    pub origin: String,
    /// Byte offset of the record in the uncompressed file.
    pub offset: u64,
    /// Index of the reading in the record; -1 for the record itself.
    pub item: i32,
    /// The record's bytes, at most [`REFUSED_BYTES_MAX`].
    pub bytes: Vec<u8>,
    /// One of [`crate::REASONS`].
    pub reason: &'static str,
    /// The error, in a sentence.
    pub detail: String,
    /// Name of the person, if known.
    pub person: Option<String>,
    /// The key of the record's event: the device's id, or the user's id for a profile.
    pub key: Option<Uuid>,
}

/// Every reason for a refusal.
pub const REASONS: [&str; 11] = [
    "json",      // a record is not JSON
    "garbage",   // other bytes in place of a record
    "truncated", // the file ends inside a record
    "too_long",  // a record of more than 4 MiB
    "csv",       // a row does not match its header, or a quote is unclosed
    "shape",     // JSON of another shape
    "missing",   // a required field is missing
    "date",      // a date in an unknown format
    "number",    // not a number
    "range",     // a number out of range
    "order",     // a session that ends before it starts
];

/// Identifies a record permanently, together with its offset.
pub(crate) fn origin_of(entry: &ArchiveEntry, device: Option<Uuid>, record: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(entry.path.as_bytes());
    hash.update([0]);
    hash.update(device.unwrap_or_default());
    hash.update(record);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
