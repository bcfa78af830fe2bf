//! A change event, read raw: a typed stream would move its position before it shows a bad document.

use bson::{RawDocument, RawDocumentBuf, Timestamp};

/// An event, and its server time.
#[derive(Debug, PartialEq)]
pub(crate) struct Event<'a> {
    pub(crate) at: Timestamp,
    pub(crate) change: Change<'a>,
}

/// The loader's view of an event.
#[derive(Debug, PartialEq)]
pub(crate) enum Change<'a> {
    /// A document was inserted.
    Inserted {
        collection: &'a str,
        document: &'a RawDocument,
    },
    /// Collections were dropped, renamed, or replaced by a renamed one: their new content produced no events.
    Replaced(Vec<&'a str>),
    /// The database was dropped: the stream ends here.
    Invalidated,
    /// Nothing to load: the server did not apply the requested filter.
    Other,
}

/// Reads an event.
///
/// # Errors
/// What is wrong with the event: the server broke its contract.
pub(crate) fn read(event: &RawDocumentBuf) -> Result<Event<'_>, String> {
    let wrong = |error: bson::error::Error| error.to_string();
    let collection = |name| event.get_document(name).and_then(|of| of.get_str("coll"));
    let change = match event.get_str("operationType").map_err(wrong)? {
        "insert" => Change::Inserted {
            collection: collection("ns").map_err(wrong)?,
            document: event.get_document("fullDocument").map_err(wrong)?,
        },
        "drop" => Change::Replaced(vec![collection("ns").map_err(wrong)?]),
        "rename" => Change::Replaced(vec![
            collection("ns").map_err(wrong)?,
            collection("to").map_err(wrong)?,
        ]),
        "invalidate" => Change::Invalidated,
        _ => Change::Other,
    };
    let at = event.get_timestamp("clusterTime").map_err(wrong)?;
    Ok(Event { at, change })
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    const AT: Timestamp = Timestamp {
        time: 7,
        increment: 1,
    };

    #[test]
    fn inserts_are_read_and_everything_else_is_told_apart() {
        let insert = rawdoc! {
            "operationType": "insert", "clusterTime": AT, "ns": { "db": "p", "coll": "steps" },
            "fullDocument": { "_id": "a" },
        };
        let Event { at, change } = read(&insert).unwrap();
        let Change::Inserted { collection, document } = change else {
            panic!("not an insert")
        };
        assert_eq!(
            (at, collection, document.get_str("_id").unwrap()),
            (AT, "steps", "a")
        );
        let drop =
            rawdoc! { "operationType": "drop", "clusterTime": AT, "ns": { "db": "p", "coll": "steps" } };
        assert_eq!(read(&drop).unwrap().change, Change::Replaced(vec!["steps"]));
        let rename = rawdoc! {
            "operationType": "rename", "clusterTime": AT, "ns": { "db": "p", "coll": "copy" }, "to": { "db": "p", "coll": "steps" },
        };
        assert_eq!(
            read(&rename).unwrap().change,
            Change::Replaced(vec!["copy", "steps"])
        );
        let of = |kind: &str| rawdoc! { "operationType": kind, "clusterTime": AT };
        assert_eq!(read(&of("invalidate")).unwrap().change, Change::Invalidated);
        assert_eq!(read(&of("delete")).unwrap().change, Change::Other);
        assert!(read(&of("insert")).is_err());
        assert!(read(&rawdoc! { "operationType": "delete" }).is_err());
    }
}
