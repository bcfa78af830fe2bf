//! What the sink asks of MongoDB: a trait, so that tests can answer in its place.

use std::collections::HashMap;

use bson::{RawDocument, RawDocumentBuf};
use pulseline_clients::mongo::Fault;
use pulseline_schemas::{Position, collections};
use pulseline_tombstones::Tombstones;

use crate::duplicates::Stored;
use crate::error::Reply;

/// A document that was not inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its index in the given documents.
    pub(crate) index: usize,
    pub(crate) fault: Fault,
    pub(crate) code: i32,
    pub(crate) message: String,
}

/// All writes and reads of the sink, always with majority.
pub(crate) trait EventStore: Send + Sync {
    /// Inserts documents independently. Returns those that were refused for their own content; a majority acknowledged
    /// all others.
    fn insert<'a>(
        &'a self,
        collection: &'static str,
        documents: &'a [RawDocumentBuf],
    ) -> Reply<'a, Vec<Failure>>;

    /// Which of these ids are stored, and with what.
    fn find_events<'a>(
        &'a self,
        collection: &'static str,
        ids: &'a [String],
    ) -> Reply<'a, HashMap<String, Stored>>;

    /// The document at a position.
    fn find_at<'a>(
        &'a self,
        collection: &'static str,
        position: &'a Position,
    ) -> Reply<'a, Option<RawDocumentBuf>>;

    /// Deletes documents by id; missing ones are ignored.
    fn delete<'a>(&'a self, collection: &'static str, ids: &'a [&'a str]) -> Reply<'a, ()>;

    /// The known incarnations of a topic, with their topic ids.
    fn incarnations<'a>(&'a self, topic: &'a str) -> Reply<'a, Vec<(i32, String)>>;

    /// Opens an incarnation; false when another member has opened this number.
    fn open_incarnation<'a>(
        &'a self,
        topic: &'a str,
        incarnation: i32,
        topic_id: &'a str,
        now: i64,
    ) -> Reply<'a, bool>;

    /// The revision of the erased people: it rises with each of them.
    fn erasure_revision(&self) -> Reply<'_, i64>;

    /// The erased people.
    fn tombstones(&self) -> Reply<'_, Tombstones>;
}

/// What a stored document says about itself.
pub(crate) fn stored_of(collection: &str, document: &RawDocument) -> Result<Stored, bson::error::Error> {
    // The id of a dead letter contains everything.
    let content_hash = match collection {
        collections::DEAD_LETTERS => "",
        _ => document.get_str("content_hash")?,
    };
    Ok(Stored {
        position: Position::of_document(document)?,
        content_hash: content_hash.to_owned(),
    })
}
