//! Finds the end of a JSON object, and the next object after a broken one.
//!
//! Tokens are checked in context, so that a missing quote or brace is found in place, not megabytes later.

/// Deepest nesting of a record.
const DEPTH_MAX: u32 = 64;

/// Result of scanning from a `{`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bounds {
    /// The object has this many bytes.
    Whole(usize),
    /// Invalid JSON.
    Broken,
    /// Incomplete.
    More,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Open,
    Comma,
    Colon,
    Text,
    Literal,
    Close,
}

/// The open brackets, one bit each: 1 for an object.
struct Nest {
    bits: u64,
    depth: u32,
}

impl Nest {
    const fn in_object(&self) -> bool {
        self.bits & 1 == 1
    }

    /// True if a value may follow this token.
    fn takes_value(&self, after: Token) -> bool {
        after == Token::Colon || (!self.in_object() && matches!(after, Token::Open | Token::Comma))
    }

    /// True if a value or a bracket may end after this token.
    fn takes_end(after: Token) -> bool {
        matches!(after, Token::Text | Token::Literal | Token::Close)
    }
}

/// Length of the object at the start of `bytes`.
pub(super) fn object_bounds(bytes: &[u8]) -> Bounds {
    let mut nest = Nest { bits: 1, depth: 1 };
    let mut last = Token::Open;
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        let (fits, token) = match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {
                at += 1;
                continue;
            }
            b'"' => {
                if !(matches!(last, Token::Open | Token::Comma) || nest.takes_value(last)) {
                    return Bounds::Broken;
                }
                match text_end(bytes, at + 1) {
                    Bounds::Whole(end) => at = end,
                    other => return other,
                }
                last = Token::Text;
                continue;
            }
            b',' => (Nest::takes_end(last), Token::Comma),
            b':' => (last == Token::Text && nest.in_object(), Token::Colon),
            b'{' | b'[' => {
                let fits = nest.takes_value(last) && nest.depth < DEPTH_MAX;
                nest.bits = nest.bits << 1 | u64::from(byte == b'{');
                nest.depth += 1;
                (fits, Token::Open)
            }
            b'}' | b']' => {
                let fits =
                    nest.in_object() == (byte == b'}') && (last == Token::Open || Nest::takes_end(last));
                nest.bits >>= 1;
                nest.depth -= 1;
                if fits && nest.depth == 0 {
                    return Bounds::Whole(at + 1);
                }
                (fits, Token::Close)
            }
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'+' | b'.' => {
                let follows = last == Token::Literal && at > 0 && !bytes[at - 1].is_ascii_whitespace();
                (follows || nest.takes_value(last), Token::Literal)
            }
            _ => return Bounds::Broken,
        };
        if !fits {
            return Bounds::Broken;
        }
        last = token;
        at += 1;
    }
    Bounds::More
}

/// Position after the closing quote of the text at `at`.
fn text_end(bytes: &[u8], mut at: usize) -> Bounds {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return Bounds::Whole(at + 1),
            b'\\' => at += 2,
            0..0x20 => return Bounds::Broken,
            _ => at += 1,
        }
    }
    Bounds::More
}

/// The first key of an object, unparsed.
pub(super) fn first_key(object: &[u8]) -> Option<&[u8]> {
    let inner = object
        .strip_prefix(b"{")?
        .trim_ascii_start()
        .strip_prefix(b"\"")?;
    let end = inner.iter().position(|&byte| byte == b'"')?;
    Some(&inner[..end])
}

/// Position of an object with the first key `key`.
pub(super) fn find_by_key(bytes: &[u8], key: &[u8]) -> Option<usize> {
    starts(bytes).find(|&at| first_key(&bytes[at..]) == Some(key))
}

/// Position of an object after another's end, or of any object.
pub(super) fn find_by_shape(bytes: &[u8], behind_another: bool) -> Option<usize> {
    starts(bytes).find(|&at| {
        let before = bytes[..at].trim_ascii_end().last();
        let after = bytes[at + 1..].trim_ascii_start().first();
        (!behind_another || matches!(before, Some(b',' | b'}'))) && matches!(after, Some(b'"' | b'}'))
    })
}

fn starts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes
        .iter()
        .enumerate()
        .filter_map(|(at, &byte)| (byte == b'{').then_some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_objects() {
        for text in [
            "{}",
            r#"{"a":1}"#,
            r#"{ "a" : [ 1, -2.5e3 , {"b":[]} ], "c": "}\"{" , "d":null}"#,
        ] {
            assert_eq!(
                object_bounds(text.as_bytes()),
                Bounds::Whole(text.len()),
                "{text}"
            );
            let followed = format!("{text},{{}}]");
            assert_eq!(object_bounds(followed.as_bytes()), Bounds::Whole(text.len()));
            for cut in 1..text.len() {
                assert_eq!(
                    object_bounds(&text.as_bytes()[..cut]),
                    Bounds::More,
                    "{text} {cut}"
                );
            }
        }
    }

    #[test]
    fn a_broken_object_is_detected_at_the_fault() {
        for text in [
            r#"{"a":"x,"b":1}"#,
            r#"{"a":1,{"a":2}"#,
            r#"{"a":1{"a":2}"#,
            r#"{"a":[1,2}"#,
            r#"{"a" 1}"#,
            "{\"a\":\"x\n\"}",
            r#"{"a":1 2}"#,
            r#"{"a":1,}"#,
            r#"{1:2}"#,
        ] {
            assert_eq!(object_bounds(text.as_bytes()), Bounds::Broken, "{text}");
        }
    }
}
