//! Byte ranges of the objects in JSON arrays, concatenated arrays, or JSON lines.
//!
//! A broken element ends where the next one begins: at an object with the first key common to all elements so far
//! (nested objects have other keys), or, if keys vary, at an object after a comma or a brace.

use std::io::{self, Read};

use super::buffer::{Buffer, Piece};
use super::syntax::{Bounds, find_by_key, find_by_shape, first_key, object_bounds};

/// The first key of the elements so far.
enum Key {
    None,
    Same(Vec<u8>),
    Varies,
}

/// How to find the end of a damaged range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    /// After the `{` of a broken element.
    Element,
    /// After the `{` of an element truncated by the end of the file.
    CutOff,
    /// In garbage between elements.
    Garbage,
}

/// The elements of a file.
pub(crate) struct Elements<R> {
    buffer: Buffer<R>,
    key: Key,
    in_array: bool,
    said_the_end: bool,
}

struct Found {
    len: usize,
    damage: Option<&'static str>,
}

impl<R: Read> Elements<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            buffer: Buffer::new(source),
            key: Key::None,
            in_array: false,
            said_the_end: false,
        }
    }

    /// The next element or damaged range.
    ///
    /// # Errors
    ///
    /// An unreadable file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        let Some(Found { len, damage }) = self.find()? else {
            return Ok(None);
        };
        self.buffer.consume(len);
        Ok(Some(Piece {
            offset: self.buffer.offset() - len as u64,
            bytes: self.buffer.consumed(len),
            damage,
        }))
    }

    fn find(&mut self) -> io::Result<Option<Found>> {
        loop {
            // A byte order mark is read whole or not at all.
            if self.buffer.offset() == 0 && self.buffer.live().len() < 3 && !self.buffer.at_end() {
                self.buffer.fill()?;
                continue;
            }
            self.skip();
            match self.buffer.live().first() {
                None if !self.buffer.at_end() => self.buffer.fill()?,
                None => return Ok(self.end()),
                Some(b'{') => match object_bounds(self.buffer.live()) {
                    Bounds::Whole(len) => {
                        self.learn(len);
                        return Ok(Some(Found { len, damage: None }));
                    }
                    Bounds::Broken => return self.damaged(Search::Element, "json").map(Some),
                    Bounds::More if self.buffer.at_end() => {
                        self.said_the_end = true;
                        return self.damaged(Search::CutOff, "truncated").map(Some);
                    }
                    Bounds::More if self.buffer.is_full() => {
                        return self.damaged(Search::Element, "too_long").map(Some);
                    }
                    Bounds::More => self.buffer.fill()?,
                },
                Some(_) => return self.damaged(Search::Garbage, "garbage").map(Some),
            }
        }
    }

    /// Consumes separators.
    fn skip(&mut self) {
        let live = self.buffer.live();
        let mut count = 0;
        if self.buffer.offset() == 0 && live.starts_with(b"\xef\xbb\xbf") {
            count = 3;
        }
        for &byte in &live[count..] {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' | b',' => {}
                b'[' => self.in_array = true,
                b']' => self.in_array = false,
                _ => break,
            }
            count += 1;
        }
        self.buffer.consume(count);
    }

    /// Reports an unclosed array once, unless its last element was truncated too.
    fn end(&mut self) -> Option<Found> {
        let cut_off = self.buffer.take_cut_off();
        let open = std::mem::replace(&mut self.in_array, false);
        if std::mem::replace(&mut self.said_the_end, true) || !(open || cut_off) {
            return None;
        }
        Some(Found {
            len: 0,
            damage: Some("truncated"),
        })
    }

    fn learn(&mut self, len: usize) {
        let key = first_key(&self.buffer.live()[..len]).unwrap_or_default();
        match &self.key {
            Key::Same(known) if known == key => {}
            Key::None => self.key = Key::Same(key.to_vec()),
            Key::Same(_) | Key::Varies => self.key = Key::Varies,
        }
    }

    /// A damaged range: up to the next element, else to the end of the file or of the buffer.
    fn damaged(&mut self, search: Search, reason: &'static str) -> io::Result<Found> {
        let damage = Some(reason);
        loop {
            if let Some(len) = self.next_start(search) {
                return Ok(Found { len, damage });
            }
            if self.buffer.at_end() {
                let rest = self.buffer.live().trim_ascii_end();
                // Excludes the closing bracket of the file's array.
                let len = rest
                    .strip_suffix(b"]")
                    .map_or(self.buffer.live().len(), <[u8]>::len);
                return Ok(Found {
                    len: len.max(1),
                    damage,
                });
            }
            if self.buffer.is_full() {
                let len = self.buffer.live().len();
                return Ok(Found { len, damage });
            }
            self.buffer.fill()?;
        }
    }

    fn next_start(&self, search: Search) -> Option<usize> {
        let skipped = usize::from(search != Search::Garbage);
        let live = self.buffer.live();
        let rest = &live[skipped..];
        let found = match (&self.key, first_key(live)) {
            (Key::Same(key), _) => find_by_key(rest, key),
            (Key::None, Some(key)) if search == Search::CutOff => find_by_key(rest, key),
            (Key::None, Some(key)) if search == Search::Element => {
                find_by_key(rest, key).or_else(|| find_by_shape(rest, true))
            }
            (Key::None | Key::Varies, _) => find_by_shape(rest, search != Search::Garbage),
        };
        found.map(|at| at + skipped)
    }
}

#[cfg(test)]
mod tests;
