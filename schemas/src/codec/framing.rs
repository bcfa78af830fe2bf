//! Confluent's framing: a zero byte, the schema's id (big endian), the datum.

/// Bytes in front of the datum.
pub const FRAME_BYTES: usize = 5;
const MAGIC: u8 = 0;

/// Bytes without Confluent's framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Fewer bytes than the frame itself.
    #[error("{0} bytes are too few for a schema id")]
    Short(usize),
    /// The first byte is not zero.
    #[error("the first byte is {0:#04x}, not 0x00")]
    Magic(u8),
}

/// Adds the frame to a datum.
#[must_use]
pub fn frame(schema_id: u32, datum: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(FRAME_BYTES + datum.len());
    framed.push(MAGIC);
    framed.extend_from_slice(&schema_id.to_be_bytes());
    framed.extend_from_slice(datum);
    framed
}

/// Removes the frame: returns the schema's id and the datum.
///
/// # Errors
/// When the bytes are too few or do not begin with zero.
pub fn unframe(framed: &[u8]) -> Result<(u32, &[u8]), FrameError> {
    match framed {
        [MAGIC, a, b, c, d, datum @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum)),
        [MAGIC, ..] | [] => Err(FrameError::Short(framed.len())),
        [other, ..] => Err(FrameError::Magic(*other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_comes_off_as_it_went_on() {
        let framed = frame(0x0102_0304, b"datum");
        assert_eq!(framed, b"\x00\x01\x02\x03\x04datum");
        assert_eq!(unframe(&framed), Ok((0x0102_0304, &b"datum"[..])));
    }

    #[test]
    fn what_is_not_framed_says_why() {
        assert_eq!(unframe(&[]), Err(FrameError::Short(0)));
        assert_eq!(unframe(&[0, 1, 2, 3]), Err(FrameError::Short(4)));
        assert_eq!(unframe(b"{\"a\":1}"), Err(FrameError::Magic(b'{')));
    }
}
