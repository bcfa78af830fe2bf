//! Splits a file into records with their byte offsets, in bounded memory.

mod buffer;
mod elements;
mod lines;
mod syntax;

use std::io::{self, Read};

pub(crate) use buffer::Piece;
pub use buffer::RECORD_BYTES_MAX;
pub(crate) use elements::Elements;
pub(crate) use lines::{Lines, Splitter};

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
