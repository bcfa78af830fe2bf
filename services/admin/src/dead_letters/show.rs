//! Prints a dead letter: all its fields, and its bytes decoded as far as possible. Pure.

use std::fmt::Write as _;

use bson::RawDocument;

use crate::dead_letters::find::DeadLetter;

/// How many undecodable bytes are shown.
const SHOWN_BYTES: usize = 512;
const LINE_BYTES: usize = 16;
/// Confluent's framing: a zero byte and the schema id.
const FRAME_BYTES: usize = 5;

/// The dead letter with its bytes, as text of several lines.
#[must_use]
pub fn show(dead_letter: &DeadLetter, payload: Option<&[u8]>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _infallible = writeln!(text, "{name:<10} {value}");
        }
    };
    let item = if dead_letter.item < 0 {
        "the whole upload".to_owned()
    } else {
        format!("reading {}", dead_letter.item)
    };
    line("origin", &dead_letter.origin);
    line("item", &item);
    line("stream", dead_letter.stream.as_deref().unwrap_or_default());
    line("topic", dead_letter.topic.as_deref().unwrap_or_default());
    line("key", dead_letter.message_key.as_deref().unwrap_or_default());
    line("reason", &dead_letter.reason);
    line("detail", &dead_letter.detail);
    line("created", &dead_letter.created_at.to_string());
    line("by version", &dead_letter.program_version);
    if let (Some(at), Some(resolution)) = (dead_letter.resolved_at, &dead_letter.resolution) {
        line("resolved", &format!("{resolution} at {at}"));
        line("why", dead_letter.why.as_deref().unwrap_or_default());
    }
    text + &decoded(payload)
}

/// The decoded bytes: a document, text, or the bytes themselves.
fn decoded(payload: Option<&[u8]>) -> String {
    let Some(bytes) = payload else {
        return "bytes      not stored here: see the document named by the origin\n".into();
    };
    if let Some(json) = document(bytes) {
        return format!("document   {json}\n");
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => {
            format!("text       {text}\n")
        }
        _ => dump(bytes),
    }
}

fn document(bytes: &[u8]) -> Option<String> {
    let document = RawDocument::from_bytes(bytes).ok()?;
    let document: bson::Document = document.try_into().ok()?;
    serde_json::to_string(&bson::Bson::Document(document).into_relaxed_extjson()).ok()
}

fn dump(bytes: &[u8]) -> String {
    let mut text = format!("bytes      {}", bytes.len());
    if let [0, a, b, c, d, ..] = bytes {
        let id = u32::from_be_bytes([*a, *b, *c, *d]);
        let _infallible = write!(
            text,
            ", framed with schema {id}, {} payload bytes",
            bytes.len() - FRAME_BYTES
        );
    }
    text.push('\n');
    for (index, line) in bytes[..bytes.len().min(SHOWN_BYTES)]
        .chunks(LINE_BYTES)
        .enumerate()
    {
        let hex: String = line.iter().map(|byte| format!("{byte:02x} ")).collect();
        let ascii = line.iter().map(|byte| match byte {
            0x20..0x7f => char::from(*byte),
            _ => '.',
        });
        let ascii: String = ascii.collect();
        let _infallible = writeln!(text, "  {:06x}  {hex:<48} {ascii}", index * LINE_BYTES);
    }
    if bytes.len() > SHOWN_BYTES {
        let _infallible = writeln!(text, "  and {} more", bytes.len() - SHOWN_BYTES);
    }
    text
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn bytes_are_decoded_as_far_as_they_go() {
        let document = rawdoc! { "ts": bson::DateTime::from_millis(0), "value": 400 };
        let shown = decoded(Some(document.as_bytes()));
        assert!(
            shown.contains(r#""value":400"#) && shown.contains("1970-01-01T00:00:00Z"),
            "{shown}"
        );
        assert_eq!(decoded(Some(b"{\"bpm\": 60}")), "text       {\"bpm\": 60}\n");
        let shown = decoded(Some(&[0, 0, 0, 0, 7, 1, b'a']));
        assert!(
            shown.contains("framed with schema 7, 2 payload bytes")
                && shown.contains(".....")
                && shown.contains(".a\n"),
            "{shown}"
        );
        assert!(decoded(Some(&[1; 600])).contains("and 88 more"));
        assert_eq!(decoded(Some(b"")), "bytes      0\n");
        assert!(decoded(None).contains("named by the origin"));
    }
}
