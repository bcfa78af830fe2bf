//! Reading what is in a collection: before its part of the change stream is followed, or once more.
//!
//! The position is taken first and stored last. What arrives in between is read twice, which changes nothing.

use std::sync::{Arc, Mutex, PoisonError};

use bson::{Document, RawBson, RawDocumentBuf, doc};
use mongodb::{Collection, Database};
use pulseline_runtime::shutdown::Shutdown;

use crate::batch::Progress;
use crate::config::LoaderConfig;
use crate::drain::{self, Written};
use crate::error::LoaderError;
use crate::feed::Feed;
use crate::resume::ResumePoint;
use crate::write::Writer;

/// Documents a server sends at once.
const FETCH_DOCUMENTS: u32 = 1_000;

/// How far a snapshot has come: kept over outages, so that a long one ends.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Where the change stream goes on once all is read.
    position: ResumePoint,
    /// The last document whose rows are committed.
    after: Arc<Mutex<Option<RawBson>>>,
}

impl Snapshot {
    pub(crate) fn new(position: ResumePoint) -> Self {
        Self {
            position,
            after: Arc::default(),
        }
    }

    /// Reads the whole collection, or the rest of it, and stores its position; false when told to stop before the end.
    pub(crate) async fn take(
        &self,
        writer: &mut Writer,
        database: &Database,
        config: &LoaderConfig,
        shutdown: &Shutdown,
    ) -> Result<bool, LoaderError> {
        let after = || self.after.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = Reading {
            collection: database.collection(writer.source().name()),
            filter: beyond(after().clone()),
            order: doc! { "_id": 1 },
        };
        let ended = reading.load(writer, config, shutdown, |written| {
            if written.id.is_some() {
                *after() = written.id;
            }
        });
        if !ended.await? {
            return Ok(false);
        }
        let position = Some(self.position.clone());
        writer
            .save(&Progress {
                position,
                ..Progress::default()
            })
            .await?;
        Ok(true)
    }
}

/// What comes after a document in the order of `_id`; everything without one.
fn beyond(after: Option<RawBson>) -> Document {
    match after.map(bson::Bson::try_from).transpose() {
        // `$gt` compares within one type only: ids of another type are read again rather than left out.
        Ok(Some(id)) => {
            doc! { "$or": [{ "_id": { "$gt": id } }, { "_id": { "$not": { "$type": "string" } } }] }
        }
        Ok(None) | Err(_) => Document::new(),
    }
}

/// Documents of a collection.
pub(crate) struct Reading {
    pub(crate) collection: Collection<RawDocumentBuf>,
    pub(crate) filter: Document,
    /// Without one the server need not sort what it finds by another index.
    pub(crate) order: Document,
}

impl Reading {
    /// Reads and writes them, by `writer`; true when it came to the end.
    pub(crate) async fn load(
        self,
        writer: &mut Writer,
        config: &LoaderConfig,
        shutdown: &Shutdown,
        committed: impl FnMut(Written),
    ) -> Result<bool, LoaderError> {
        let shutdown = shutdown.child();
        let (feed, messages) = Feed::new(writer.source(), config, &shutdown);
        // Apart: should this be given up, a driver's future is not dropped half way.
        let reader = tokio::spawn(self.scan(feed));
        let drained = drain::drain(writer, messages, config, committed).await;
        shutdown.stop();
        let read = reader
            .await
            .map_err(|error| LoaderError::Task(error.to_string()))?;
        // The writer's error comes first: the reader's may only follow from it.
        drained?;
        read
    }

    async fn scan(self, feed: Feed) -> Result<bool, LoaderError> {
        let failed = || LoaderError::mongo("reading a collection");
        let mut found = self.collection.find(self.filter).batch_size(FETCH_DOCUMENTS);
        if !self.order.is_empty() {
            found = found.sort(self.order);
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
}
