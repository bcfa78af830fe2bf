//! What is not carried, with its bytes and its place, for the dead letters.

use pulseline_schemas::Stream;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::tree::ArchiveEntry;

/// Most bytes of a record that are kept.
pub const REFUSED_BYTES_MAX: usize = 1 << 20;

/// A record, or one reading of it, that is not carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Path below the root.
    pub file: String,
    /// What the file carries.
    pub stream: Stream,
    /// SHA-256 of the file's path, whose it is, and the record's bytes, in hexadecimal: with the offset it names the
    /// record for good, and no other of a file that was changed or is somebody else's.
    pub origin: String,
    /// Byte offset of the record in the file as unpacked.
    pub offset: u64,
    /// Index of the reading in the record; -1 for the record itself.
    pub item: i32,
    /// The record's bytes, at most [`REFUSED_BYTES_MAX`].
    pub bytes: Vec<u8>,
    /// One of [`crate::REASONS`].
    pub reason: &'static str,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// Name of the person, where it is known.
    pub person: Option<String>,
    /// The key that the record's event would have had: the device's id, or the user's of a profile.
    pub key: Option<Uuid>,
}

/// Every reason for which something is refused.
pub const REASONS: [&str; 11] = [
    "json",      // a record is no JSON
    "garbage",   // something else stands where a record should be
    "truncated", // the file ends in the middle
    "too_long",  // a record of more than 4 MiB
    "csv",       // a row has other fields than its header, or a quote that never closes
    "shape",     // JSON of another shape
    "missing",   // a field that must be there
    "date",      // a date that no form fits
    "number",    // a number that is none
    "range",     // a number that is too large
    "order",     // a session that ends before it starts
];

/// Names a record for good; its offset is told beside it.
pub(crate) fn origin_of(entry: &ArchiveEntry, device: Option<Uuid>, record: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(entry.path.as_bytes());
    hash.update([0]);
    hash.update(device.unwrap_or_default());
    hash.update(record);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
