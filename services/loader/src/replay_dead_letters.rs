//! Reloads documents of which the upload, or readings, became dead letters: after a fix, through the same path (P9).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bson::doc;
use futures_util::future::BoxFuture;
use pulseline_clients::mongo::Database;
use pulseline_runtime::clock::system_utc_millis;
use pulseline_schemas::Stream;

use crate::batch::Batch;
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::map;
use crate::service::{self, LoaderConnections};
use crate::write::{Purpose, Writer, opening};

/// The result of reloading a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Rows written.
    pub changed: u64,
    /// Items that were refused again (−1 for the whole upload), and why.
    pub refused: Vec<(i32, String)>,
}

/// Reloads documents, one by one.
pub struct DeadLetterReplayer {
    connections: LoaderConnections,
    database: Database,
    writers: HashMap<Stream, Writer>,
}

impl DeadLetterReplayer {
    /// Opens the document store.
    ///
    /// # Errors
    /// A wrong connection string.
    pub fn open(connections: &LoaderConnections) -> BoxFuture<'_, Result<Self, LoaderError>> {
        Box::pin(async move {
            Ok(Self {
                connections: connections.clone(),
                database: service::open_database(&connections.mongo).await?,
                writers: HashMap::new(),
            })
        })
    }

    /// Maps the document with this `_id` again and merges it into raw; none when it does not exist.
    ///
    /// # Errors
    /// Errors of the stores.
    pub fn load<'a>(
        &'a mut self,
        stream: Stream,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Replayed>, LoaderError>> {
        Box::pin(async move {
            let source = SourceCollection::Stream(stream);
            let collection = self.database.collection(source.name());
            let found = collection.find_one(doc! { "_id": id }).await;
            let Some(document) = found.map_err(LoaderError::mongo("reading a document"))? else {
                return Ok(None);
            };
            let bytes = document.as_bytes().len();
            let mut batch = Batch::default();
            batch.push(map::map(source, &document, system_utc_millis()), bytes, None);
            let changed = self.writer(stream).await?.write(&mut batch).await?;
            let refused = batch.dead_letters.into_iter();
            Ok(Some(Replayed {
                changed,
                refused: refused
                    .map(|dead_letter| {
                        (
                            dead_letter.item,
                            format!("{}: {}", dead_letter.reason, dead_letter.detail),
                        )
                    })
                    .collect(),
            }))
        })
    }

    async fn writer(&mut self, stream: Stream) -> Result<&mut Writer, LoaderError> {
        match self.writers.entry(stream) {
            Entry::Occupied(opened) => Ok(opened.into_mut()),
            Entry::Vacant(place) => {
                let (timescale, source) = (&self.connections.timescale, SourceCollection::Stream(stream));
                let purpose = Purpose::ReplayDeadLetter;
                let writer = opening::beside(timescale, &self.database, source, purpose).await?;
                Ok(place.insert(writer))
            }
        }
    }

    /// Closes the document store.
    pub fn close(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.database.close().await;
        })
    }
}
