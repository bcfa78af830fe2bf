//! Inserts prepared documents into fresh collections with the same indexes, and drains the change stream.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bson::{RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use mongodb::change_stream::event::ResumeToken;
use mongodb::options::{CollectionOptions, IndexOptions, WriteConcern};
use mongodb::{Collection, Database, IndexModel};
use pulseline_schemas::Stream;
use pulseline_schemas::pages::Order;

/// Size of the sink's batches.
const BATCH: usize = 1_000;
/// Size of the loader's batches.
const FETCH: u32 = 1_000;

/// The current positions of all streams' collections.
pub(crate) struct Standing {
    token: ResumeToken,
    documents: u64,
}

impl Standing {
    pub(crate) async fn now(database: &Database) -> Result<Self> {
        let token = database.watch().await?.resume_token();
        Ok(Self {
            token: token.context("the server returns no position")?,
            documents: documents(database).await?,
        })
    }

    /// Documents since this position.
    pub(crate) async fn added(&self, database: &Database) -> Result<u64> {
        Ok(documents(database).await? - self.documents)
    }

    /// Reads every change since this position, from all collections at once as the loader does.
    pub(crate) async fn drain(self, database: &Database) -> Result<Duration> {
        let wanted = self.added(database).await?;
        let began = Instant::now();
        let watch = database.watch().start_after(self.token).batch_size(FETCH);
        let mut watch = watch.await?.with_type::<RawDocumentBuf>();
        let mut read = 0;
        while read < wanted {
            if let Some(event) = watch.next_if_any().await? {
                let collection = event.get_document("ns")?.get_str("coll")?;
                read += u64::from(Stream::ALL.iter().any(|stream| stream.collection() == collection));
            }
        }
        Ok(began.elapsed())
    }
}

async fn documents(database: &Database) -> Result<u64> {
    let mut documents = 0;
    for stream in Stream::ALL {
        let collection = database.collection::<RawDocumentBuf>(stream.collection());
        documents += collection.count_documents(doc! {}).await?;
    }
    Ok(documents)
}

/// Inserts copies of the stored documents, unordered and acknowledged by a majority. They are read between the
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
    // A separate database: when a collection is dropped, the embedded server notifies all streams of its database,
    // and gives them a position that it later refuses.
    let apart = database.client().database("bench");
    let target = apart.collection_with_options::<RawDocumentBuf>(stream.collection(), options);
    let position = doc! { "kafka.topic": 1, "kafka.generation": 1, "kafka.partition": 1, "kafka.offset": 1 };
    let unique = IndexOptions::builder().unique(true).build();
    target
        .create_index(IndexModel::builder().keys(position).options(unique).build())
        .await?;
    for keys in Order::of(stream).indexes() {
        target
            .create_index(IndexModel::builder().keys(keys).build())
            .await?;
    }
    Ok(target)
}
