//! PostgreSQL's binary COPY format, written directly into one buffer: no allocation per row.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

/// Milliseconds from 1970 to PostgreSQL's epoch, 2000-01-01.
const EPOCH_2000_MILLIS: i64 = 946_684_800_000;
/// Days from 1970 to PostgreSQL's epoch.
const EPOCH_2000_DAYS: i32 = 10_957;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// The rows of one COPY. Each row states its number of columns, then writes exactly that many.
#[derive(Debug)]
pub(crate) struct CopyRows {
    buffer: BytesMut,
    rows: usize,
}

impl CopyRows {
    /// An empty COPY with room for `rows` rows of about `row_bytes` each.
    pub(crate) fn with_capacity(rows: usize, row_bytes: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(32 + rows * row_bytes);
        buffer.put_slice(SIGNATURE);
        buffer.put_i32(0);
        buffer.put_i32(0);
        Self { buffer, rows: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(crate) fn row(&mut self, columns: i16) -> &mut Self {
        self.rows += 1;
        self.buffer.put_i16(columns);
        self
    }

    pub(crate) fn int2(&mut self, value: i16) -> &mut Self {
        self.buffer.put_i32(2);
        self.buffer.put_i16(value);
        self
    }

    pub(crate) fn int4(&mut self, value: i32) -> &mut Self {
        self.buffer.put_i32(4);
        self.buffer.put_i32(value);
        self
    }

    pub(crate) fn int8(&mut self, value: i64) -> &mut Self {
        self.buffer.put_i32(8);
        self.buffer.put_i64(value);
        self
    }

    pub(crate) fn float8(&mut self, value: f64) -> &mut Self {
        self.buffer.put_i32(8);
        self.buffer.put_f64(value);
        self
    }

    pub(crate) fn boolean(&mut self, value: bool) -> &mut Self {
        self.buffer.put_i32(1);
        self.buffer.put_u8(u8::from(value));
        self
    }

    pub(crate) fn uuid(&mut self, value: Uuid) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    /// `timestamp` or `timestamptz`, from milliseconds since 1970 (mapping has bounded them).
    pub(crate) fn millis(&mut self, millis: i64) -> &mut Self {
        self.int8(millis.saturating_sub(EPOCH_2000_MILLIS).saturating_mul(1_000))
    }

    /// `date`, from days since 1970.
    pub(crate) fn date(&mut self, days: i32) -> &mut Self {
        self.int4(days.saturating_sub(EPOCH_2000_DAYS))
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        // A document is at most 16 MB, so its fields always fit.
        self.buffer
            .put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
        self.buffer.put_slice(value);
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    /// `jsonb` travels as a version byte and its text.
    pub(crate) fn jsonb(&mut self, value: &str) -> &mut Self {
        self.buffer
            .put_i32(i32::try_from(value.len() + 1).unwrap_or(i32::MAX));
        self.buffer.put_u8(1);
        self.buffer.put_slice(value.as_bytes());
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.buffer.put_i32(-1);
        self
    }

    /// `Some` by `write`, `None` as NULL.
    pub(crate) fn optional<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T) -> &mut Self,
    ) -> &mut Self {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    /// The finished bytes.
    pub(crate) fn finish(mut self) -> Bytes {
        self.buffer.put_i16(-1);
        self.buffer.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_encoded_as_the_manual_says() {
        let mut rows = CopyRows::with_capacity(1, 64);
        rows.row(4)
            .int2(-2)
            .millis(EPOCH_2000_MILLIS + 1)
            .date(EPOCH_2000_DAYS + 3)
            .null();
        rows.row(1).jsonb("{}");
        assert!(!rows.is_empty());
        let bytes = rows.finish();
        let mut want = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        want.extend([0, 4, 0, 0, 0, 2, 0xff, 0xfe]);
        want.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0x03, 0xe8]);
        want.extend([0, 0, 0, 4, 0, 0, 0, 3]);
        want.extend([0xff, 0xff, 0xff, 0xff]);
        want.extend([0, 1, 0, 0, 0, 3, 1, b'{', b'}']);
        want.extend([0xff, 0xff]);
        assert_eq!(&bytes[..], &want[..]);
    }
}
