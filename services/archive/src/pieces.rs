//! A file cut into its records, in bounded memory, each with its place in the file.

mod buffer;
mod elements;
mod lines;
mod syntax;

use std::io::{self, Read};

pub(crate) use elements::Elements;
pub(crate) use lines::{Lines, Splitter};

/// Longest record, in bytes: a sleep of a night is 10 kB, a document of the reference store 100 kB.
pub const RECORD_BYTES_MAX: usize = 4 << 20;

/// A stretch of a file: a record, or what stands where one should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Byte offset in the file as unpacked.
    pub(crate) offset: u64,
    /// Its bytes.
    pub(crate) bytes: &'a [u8],
    /// Why it is no record.
    pub(crate) damage: Option<&'static str>,
}

/// The records of a file of either kind.
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
