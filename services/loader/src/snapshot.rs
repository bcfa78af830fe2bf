//! The first reading of a collection: what was in it before its change stream began.
//!
//! The position is taken first and stored last. What arrives in between is read twice, which changes nothing.

use bson::{Document, RawBson, RawDocumentBuf, doc};
use mongodb::Collection;
use mongodb::change_stream::event::ResumeToken;

use crate::batch::Progress;
use crate::error::LoaderError;
use crate::tail::Feed;

/// Documents a server sends at once.
const FETCH_DOCUMENTS: u32 = 1_000;

/// How far a snapshot has come: kept over outages, so that a long one ends.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Where the change stream goes on once all is read.
    pub(crate) token: ResumeToken,
    /// The last document whose rows are committed.
    pub(crate) after: Option<RawBson>,
}

/// What comes after a document in the order of `_id`; everything without one.
pub(crate) fn beyond(after: Option<RawBson>) -> Document {
    match after.map(bson::Bson::try_from).transpose() {
        // `$gt` compares within one type only: ids of another type are read again rather than left out.
        Ok(Some(id)) => {
            doc! { "$or": [{ "_id": { "$gt": id } }, { "_id": { "$not": { "$type": "string" } } }] }
        }
        Ok(None) | Err(_) => Document::new(),
    }
}

/// Reads these documents; true when it came to the end. Without an order the server need not sort what it finds by another
/// index.
pub(crate) async fn scan(
    collection: Collection<RawDocumentBuf>,
    filter: Document,
    order: Document,
    feed: Feed,
) -> Result<bool, LoaderError> {
    let failed = || LoaderError::mongo("reading a collection");
    let mut found = collection.find(filter).batch_size(FETCH_DOCUMENTS);
    if !order.is_empty() {
        found = found.sort(order);
    }
    let mut cursor = found.await.map_err(failed())?;
    while cursor.advance().await.map_err(failed())? {
        let document = cursor.current();
        let id = document.get("_id").ok().flatten().map(RawBson::from);
        if feed.is_stopped() || !feed.document(document, Progress::default(), id).await {
            return Ok(false);
        }
    }
    Ok(true)
}
