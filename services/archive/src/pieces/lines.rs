//! Byte ranges of a CSV file's rows, and the fields of a row.

use std::io::{self, Read};

use csv_core::ReadRecordResult;

use super::buffer::{Buffer, Piece};

/// How far to search for a closing quote, in bytes; an unclosed quote costs one line.
const QUOTED_BYTES_MAX: usize = 64 << 10;

/// The rows of a file; the first is the header.
pub(crate) struct Lines<R> {
    buffer: Buffer<R>,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            buffer: Buffer::new(source),
        }
    }

    /// The next row without its line end; skips empty lines.
    ///
    /// # Errors
    ///
    /// An unreadable file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        loop {
            let Some((len, damage)) = self.find()? else {
                let cut_off = self.buffer.take_cut_off();
                return Ok(cut_off.then_some(Piece {
                    offset: self.buffer.offset(),
                    bytes: &[],
                    damage: Some("truncated"),
                }));
            };
            let mut start = self.buffer.offset();
            self.buffer.consume(len);
            let mut row = self.buffer.consumed(len);
            if start == 0 && row.starts_with(b"\xef\xbb\xbf") {
                (row, start) = (&row[3..], 3);
            }
            if !row.trim_ascii().is_empty() {
                // Borrowed again, because a borrow cannot leave the loop.
                let row = &self.buffer.consumed(len)[len - row.len()..];
                return Ok(Some(Piece {
                    offset: start,
                    bytes: row.trim_ascii_end(),
                    damage,
                }));
            }
        }
    }

    /// Length of the next row with its line end.
    fn find(&mut self) -> io::Result<Option<(usize, Option<&'static str>)>> {
        let mut first_line = None;
        let mut searched = 0;
        let mut quotes = 0;
        loop {
            let live = self.buffer.live();
            while let Some(at) = live[searched..].iter().position(|&byte| byte == b'\n') {
                quotes += count_quotes(&live[searched..searched + at]);
                searched += at + 1;
                if quotes % 2 == 0 {
                    return Ok(Some((searched, None)));
                }
                let line = *first_line.get_or_insert(searched);
                if searched > QUOTED_BYTES_MAX {
                    return Ok(Some((line, Some("csv"))));
                }
            }
            let len = live.len();
            if self.buffer.at_end() {
                let open = (quotes + count_quotes(&live[searched..])) % 2 == 1;
                let row = if open { first_line.unwrap_or(len) } else { len };
                return Ok((len > 0).then_some((row, open.then_some("csv"))));
            }
            if self.buffer.is_full() {
                return Ok(Some((first_line.unwrap_or(len), Some("too_long"))));
            }
            self.buffer.fill()?;
        }
    }
}

fn count_quotes(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'"').count()
}

/// Splits rows into fields. One per file, because its tables are costly.
#[derive(Debug)]
pub(crate) struct Splitter {
    reader: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Splitter {
    pub(crate) fn new() -> Self {
        Self {
            reader: csv_core::Reader::new(),
            text: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// The unquoted fields of a row; invalid UTF-8 becomes replacement characters.
    pub(crate) fn fields_of(&mut self, row: &[u8]) -> Vec<String> {
        self.text.resize(row.len() + 1, 0);
        self.ends.resize(row.len() + 2, 0);
        self.reader.reset();
        let (result, read, written, mut fields) =
            self.reader.read_record(row, &mut self.text, &mut self.ends);
        if result == ReadRecordResult::InputEmpty {
            // Without a line end, the last field ends with the input.
            let (rest, text) = (&row[read..], &mut self.text[written..]);
            let (_, _, _, last) = self.reader.read_record(rest, text, &mut self.ends[fields..]);
            fields += last;
        }
        let mut start = 0;
        self.ends[..fields]
            .iter()
            .map(|&end| {
                let field = self.text.get(start..end).unwrap_or_default();
                start = end;
                String::from_utf8_lossy(field).into_owned()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(file: &[u8]) -> Vec<(u64, Vec<String>, Option<&'static str>)> {
        let mut lines = Lines::new(file);
        let mut splitter = Splitter::new();
        let mut all = Vec::new();
        while let Some(piece) = lines.next().unwrap() {
            all.push((piece.offset, splitter.fields_of(piece.bytes), piece.damage));
        }
        all
    }

    fn row(offset: u64, fields: &[&str]) -> (u64, Vec<String>, Option<&'static str>) {
        (
            offset,
            fields.iter().map(|&field| field.to_owned()).collect(),
            None,
        )
    }

    #[test]
    fn rows_with_their_offsets() {
        let file = b"\xef\xbb\xbfa,b\r\n1,\"x, \"\"y\"\"\"\r\n\r\n2,\"two\nlines\"\n3,";
        assert_eq!(
            rows(file),
            [
                row(3, &["a", "b"]),
                row(8, &["1", "x, \"y\""]),
                row(24, &["2", "two\nlines"]),
                row(38, &["3", ""]),
            ]
        );
        assert!(rows(b"").is_empty());
        assert!(rows(b"\r\n\n").is_empty());
    }

    #[test]
    fn an_unclosed_quote_costs_one_line() {
        let found = rows(b"a,b\n1,\"x\n2,y\n3,z\n");
        let damages: Vec<_> = found
            .iter()
            .map(|(offset, _, damage)| (*offset, *damage))
            .collect();
        assert_eq!(damages, [(0, None), (4, Some("csv")), (9, None), (13, None)]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(file in proptest::collection::vec(prop_oneof![
            any::<u8>(),
            proptest::sample::select(b",\"\n\r 1".to_vec()),
        ], 0..100)) {
            let mut reached = 0;
            for (offset, _, _) in rows(&file) {
                prop_assert!(offset >= reached);
                reached = offset;
            }
        }
    }
}
