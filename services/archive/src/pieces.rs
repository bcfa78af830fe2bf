//! Splits a file into records with their byte offsets, in bounded memory.

mod buffer;
mod elements;
mod lines;
mod syntax;

use std::io::{self, Read};

pub(crate) use elements::Elements;
pub(crate) use lines::{Lines, Splitter};

/// Longest record in bytes. A night's sleep has 10 kB, a document of the reference store 100 kB.
pub const RECORD_BYTES_MAX: usize = 4 << 20;

/// A range of a file: a record, or garbage in its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Byte offset in the uncompressed file.
    pub(crate) offset: u64,
    /// Its bytes.
    pub(crate) bytes: &'a [u8],
    /// Why it is not a record.
    pub(crate) damage: Option<&'static str>,
}

/// The records of a JSON or CSV file.
pub(crate) enum Pieces<R> {
    Json(Elements<R>),
    Csv(Lines<R>),
}

impl<R: Read> Pieces<R> {
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        match self {
            Self::Json(elements) => elements.next(),
            Self::Csv(lines) => lines.next(),
        }
    }
}
