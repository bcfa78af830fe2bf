//! A file that is one JSON array on one line, written record by record.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::written::WrittenFile;
use crate::quirks::{Quirk, Quirks};
use crate::random::Draw;

/// Large enough that most records need no system call.
const BUFFER_BYTES: usize = 256 * 1024;
/// Records with an unknown key, of 65,536.
const UNKNOWN_OF_65536: u32 = 30;

/// One file while it is written.
pub(super) struct Array {
    out: BufWriter<File>,
    record: Vec<u8>,
    draw: Draw,
    quirks: Quirks,
    repeated_of_65536: u32,
    written: WrittenFile,
}

/// The oddities of one record. All are drawn for every record, so that one quirk does not affect the others.
#[derive(Clone, Copy)]
pub(super) struct Oddities {
    /// A whole number is written with a fraction.
    pub(super) as_float: bool,
    /// The record has an unknown key.
    pub(super) unknown_key: bool,
}

impl Array {
    /// Opens a file; `repeated_of_65536` of 65,536 records are repeated.
    pub(super) fn create(
        folder: &Path,
        name: &'static str,
        (draw, quirks): (Draw, Quirks),
        repeated_of_65536: u32,
    ) -> io::Result<Self> {
        let mut array = Self {
            out: BufWriter::with_capacity(BUFFER_BYTES, File::create(folder.join(name))?),
            record: Vec::new(),
            draw,
            quirks,
            repeated_of_65536,
            written: WrittenFile {
                name,
                records: 0,
                repeated: 0,
                bytes: 0,
            },
        };
        array.put(b"[")?;
        Ok(array)
    }

    /// Writes a record, once or twice.
    pub(super) fn push<R: Serialize>(&mut self, record: impl FnOnce(Oddities) -> R) -> io::Result<()> {
        let bits = self.draw.bits();
        let oddities = Oddities {
            as_float: bits & 1 == 1 && self.quirks.has(Quirk::NumberForms),
            unknown_key: self.draw.below(65_536) < UNKNOWN_OF_65536 && self.quirks.has(Quirk::UnknownKeys),
        };
        let mut text = std::mem::take(&mut self.record);
        text.clear();
        record(oddities).serialize(&mut Serializer::with_formatter(&mut text, Spaced))?;
        self.put_record(&text)?;
        if bits >> 16 < self.repeated_of_65536 && self.quirks.has(Quirk::ExactDuplicates) {
            self.put_record(&text)?;
            self.written.repeated += 1;
        }
        self.record = text;
        Ok(())
    }

    /// Closes the file.
    pub(super) fn finish(mut self) -> io::Result<WrittenFile> {
        self.put(b"]")?;
        self.out.flush()?;
        Ok(self.written)
    }

    fn put_record(&mut self, text: &[u8]) -> io::Result<()> {
        if self.written.records > 0 {
            self.put(b", ")?;
        }
        self.written.records += 1;
        self.put(text)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// Writes a space after every comma and colon, as in the data set.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

/// A number as it is written: the same field is an integer in one record and has a fraction in another.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
pub(super) enum Number {
    Whole(i64),
    Float(f64),
}

impl Number {
    /// Writes no fraction for a whole number, unless `as_float`.
    pub(super) fn of(value: f64, as_float: bool) -> Self {
        if as_float || value.fract() != 0.0 {
            Self::Float(value)
        } else {
            Self::Whole(value as i64)
        }
    }
}
