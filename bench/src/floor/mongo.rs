//! Ready documents into fresh collections with the same indexes, and change streams to nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bson::{RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use mongodb::change_stream::event::ResumeToken;
use mongodb::options::{CollectionOptions, IndexOptions, WriteConcern};
use mongodb::{Collection, Database, IndexModel};
use pulseline_schemas::Stream;

/// As the sink's batches.
const BATCH: usize = 1_000;
/// As the loader asks for them.
const FETCH: u32 = 1_000;

/// Where each stream's collection stands at a moment.
pub(crate) struct Standing {
    positions: Vec<(Stream, ResumeToken, u64)>,
}

impl Standing {
    pub(crate) async fn now(database: &Database) -> Result<Self> {
        let mut positions = Vec::new();
        for stream in Stream::ALL {
            let collection = database.collection::<RawDocumentBuf>(stream.collection());
            let token = collection.watch().await?.resume_token();
            let token = token.context("the server tells no position")?;
            positions.push((stream, token, collection.count_documents(doc! {}).await?));
        }
        Ok(Self { positions })
    }

    /// Documents that came since.
    pub(crate) async fn added(&self, database: &Database) -> Result<u64> {
        let mut added = 0;
        for (stream, _, before) in &self.positions {
            let collection = database.collection::<RawDocumentBuf>(stream.collection());
            added += collection.count_documents(doc! {}).await? - before;
        }
        Ok(added)
    }

    /// Reads every change since, all collections at once as the loader does.
    pub(crate) async fn drain(self, database: &Database) -> Result<Duration> {
        let mut wanted = Vec::new();
        for (stream, token, before) in self.positions {
            let collection = database.collection::<RawDocumentBuf>(stream.collection());
            let added = collection.count_documents(doc! {}).await? - before;
            wanted.push((collection, token, added));
        }
        let began = Instant::now();
        let streams = wanted.into_iter().map(|(collection, token, wanted)| async move {
            let watch = collection.watch().start_after(token).batch_size(FETCH).await?;
            let mut watch = watch.with_type::<RawDocumentBuf>();
            let mut read = 0;
            while read < wanted {
                if watch.next_if_any().await?.is_some() {
                    read += 1;
                }
            }
            anyhow::Ok(())
        });
        try_join_all(streams).await?;
        Ok(began.elapsed())
    }
}

/// Inserts the stored documents once more, elsewhere: unordered, acknowledged by a majority. They are read between the
/// timed batches, so that memory does not grow with their number.
pub(crate) async fn insert(database: &Database) -> Result<Duration> {
    let mut took = Duration::ZERO;
    for stream in Stream::ALL {
        let target = beside(database, stream).await?;
        let collection = database.collection::<RawDocumentBuf>(stream.collection());
        let mut stored = collection.find(doc! {}).batch_size(FETCH).await?;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let next = stored.try_next().await?;
            let is_last = next.is_none();
            batch.extend(next);
            if batch.len() == BATCH || is_last && !batch.is_empty() {
                let began = Instant::now();
                target.insert_many(&batch).ordered(false).await?;
                took += began.elapsed();
                batch.clear();
            }
            if is_last {
                break;
            }
        }
        target.drop().await?;
    }
    Ok(took)
}

/// A collection like a stream's, with its indexes.
async fn beside(database: &Database, stream: Stream) -> Result<Collection<RawDocumentBuf>> {
    let options = CollectionOptions::builder()
        .write_concern(WriteConcern::majority())
        .build();
    // In a database of its own: the embedded server tells the streams of a database that a collection of it was dropped, and
    // gives them a position that it then refuses.
    let apart = database.client().database("bench");
    let target = apart.collection_with_options::<RawDocumentBuf>(stream.collection(), options);
    let position = doc! { "kafka.topic": 1, "kafka.generation": 1, "kafka.partition": 1, "kafka.offset": 1 };
    let unique = IndexOptions::builder().unique(true).build();
    target
        .create_index(IndexModel::builder().keys(position).options(unique).build())
        .await?;
    target
        .create_index(IndexModel::builder().keys(doc! { "device_id": 1 }).build())
        .await?;
    Ok(target)
}
