//! A sliding buffer over a file that grows only for long records.

use std::io::{self, Read};
use std::ops::Range;

use crate::tree::is_damage;

const BUFFER_BYTES: usize = 256 << 10;
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

pub(super) struct Buffer<R> {
    source: R,
    bytes: Vec<u8>,
    /// Unconsumed bytes.
    live: Range<usize>,
    /// File offset of the first unconsumed byte.
    offset: u64,
    at_end: bool,
    /// The compressed stream is truncated or damaged.
    cut_off: bool,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            bytes: vec![0; BUFFER_BYTES],
            live: 0..0,
            offset: 0,
            at_end: false,
            cut_off: false,
        }
    }

    pub(super) fn live(&self) -> &[u8] {
        &self.bytes[self.live.clone()]
    }

    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) const fn at_end(&self) -> bool {
        self.at_end
    }

    /// True once if the compressed stream was truncated or damaged.
    pub(super) const fn take_cut_off(&mut self) -> bool {
        std::mem::replace(&mut self.cut_off, false)
    }

    /// True if the buffer has reached its largest size.
    pub(super) fn is_full(&self) -> bool {
        self.live.len() >= RECORD_BYTES_MAX
    }

    /// Consumes bytes; [`Self::consumed`] returns them until the next [`Self::fill`].
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.live.len());
        self.live.start += count;
        self.offset += count as u64;
    }

    /// The bytes consumed last.
    pub(super) fn consumed(&self, count: usize) -> &[u8] {
        &self.bytes[self.live.start.saturating_sub(count)..self.live.start]
    }

    /// Reads more bytes.
    ///
    /// # Errors
    ///
    /// An unreadable file. A damaged compressed stream is not an error: the file ends there.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        if self.live.end == self.bytes.len() {
            self.bytes.copy_within(self.live.clone(), 0);
            self.live = 0..self.live.len();
            if self.live.end > self.bytes.len() / 2 {
                self.bytes
                    .resize((self.bytes.len() * 2).min(RECORD_BYTES_MAX + BUFFER_BYTES), 0);
            }
        }
        while !self.at_end {
            match self.source.read(&mut self.bytes[self.live.end..]) {
                Ok(0) => self.at_end = true,
                Ok(count) => {
                    self.live.end += count;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_damage(&error) => {
                    self.at_end = true;
                    self.cut_off = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
