//! A change event, read raw: a typed stream would move its position before a bad document is seen.

use bson::{RawDocument, RawDocumentBuf};
use mongodb::change_stream::event::ResumeToken;

/// What the loader makes of an event.
#[derive(Debug, PartialEq)]
pub(crate) enum Change<'a> {
    /// A document was inserted, at this server time (UTC milliseconds).
    Inserted {
        document: &'a RawDocument,
        cluster_time: Option<i64>,
    },
    /// The collection was dropped or renamed: the stream ends here.
    Invalidated,
    /// Nothing to load (the server does not filter what we asked it to).
    Other,
}

/// Reads an event.
///
/// # Errors
/// What is wrong with it: the server broke its own contract.
pub(crate) fn read(event: &RawDocumentBuf) -> Result<Change<'_>, String> {
    match event
        .get_str("operationType")
        .map_err(|error| error.to_string())?
    {
        "insert" => {
            let document = event
                .get_document("fullDocument")
                .map_err(|error| error.to_string())?;
            let cluster_time = event
                .get_timestamp("clusterTime")
                .ok()
                .map(|at| i64::from(at.time) * 1_000);
            Ok(Change::Inserted {
                document,
                cluster_time,
            })
        }
        "invalidate" => Ok(Change::Invalidated),
        _ => Ok(Change::Other),
    }
}

/// The server time inside a token, where the server puts it there as mongod does: hexadecimal text that begins
/// with the type of a timestamp and its seconds. An idle stream has no other sign of the server's time.
pub(crate) fn token_time(token: &ResumeToken) -> Option<i64> {
    let raw = bson::serialize_to_raw_document_buf(token).ok()?;
    let text = raw.get_str("_data").ok()?;
    let seconds = text.strip_prefix("82")?.get(..8)?;
    i64::from_str_radix(seconds, 16)
        .ok()
        .map(|seconds| seconds * 1_000)
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn inserts_are_read_and_everything_else_is_told_apart() {
        let event = rawdoc! {
            "operationType": "insert",
            "clusterTime": bson::Timestamp { time: 7, increment: 1 },
            "fullDocument": { "_id": "a" },
        };
        let Ok(Change::Inserted {
            document,
            cluster_time,
        }) = read(&event)
        else {
            panic!("not an insert")
        };
        assert_eq!(
            (document.get_str("_id").unwrap(), cluster_time),
            ("a", Some(7_000))
        );
        assert_eq!(
            read(&rawdoc! { "operationType": "invalidate" }),
            Ok(Change::Invalidated)
        );
        assert_eq!(read(&rawdoc! { "operationType": "delete" }), Ok(Change::Other));
        assert!(read(&rawdoc! { "operationType": "insert" }).is_err());
    }

    #[test]
    fn a_token_of_mongod_tells_its_time() {
        let token = |data: &str| {
            bson::deserialize_from_slice::<ResumeToken>(rawdoc! { "_data": data }.as_bytes()).unwrap()
        };
        assert_eq!(
            token_time(&token("8263F0A1B2000000012B0429296E1404")),
            Some(0x63F0_A1B2 * 1_000)
        );
        assert_eq!(token_time(&token("something else")), None);
    }
}
