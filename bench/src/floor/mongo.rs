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

/// The documents that the sink stored.
pub(crate) async fn documents(database: &Database) -> Result<Vec<(Stream, Vec<RawDocumentBuf>)>> {
    let mut all = Vec::new();
    for stream in Stream::ALL {
        let collection = database.collection::<RawDocumentBuf>(stream.collection());
        all.push((stream, collection.find(doc! {}).await?.try_collect().await?));
    }
    Ok(all)
}

/// Inserts them once more, elsewhere: unordered, acknowledged by a majority.
pub(crate) async fn insert(
    database: &Database,
    documents: &[(Stream, Vec<RawDocumentBuf>)],
) -> Result<Duration> {
    let mut targets: Vec<(Collection<RawDocumentBuf>, &[RawDocumentBuf])> = Vec::new();
    for (stream, documents) in documents {
        let options = CollectionOptions::builder()
            .write_concern(WriteConcern::majority())
            .build();
        let name = format!("bench_{}", stream.collection());
        let target = database.collection_with_options::<RawDocumentBuf>(&name, options);
        let position =
            doc! { "kafka.topic": 1, "kafka.generation": 1, "kafka.partition": 1, "kafka.offset": 1 };
        let unique = IndexOptions::builder().unique(true).build();
        target
            .create_index(IndexModel::builder().keys(position).options(unique).build())
            .await?;
        target
            .create_index(IndexModel::builder().keys(doc! { "device_id": 1 }).build())
            .await?;
        targets.push((target, documents));
    }
    let began = Instant::now();
    for (target, documents) in targets {
        for some in documents.chunks(BATCH) {
            target.insert_many(some).ordered(false).await?;
        }
    }
    Ok(began.elapsed())
}

/// The present position of each stream's collection.
pub(crate) async fn tokens(database: &Database) -> Result<Vec<(Stream, ResumeToken)>> {
    let mut tokens = Vec::new();
    for stream in Stream::ALL {
        let collection = database.collection::<RawDocumentBuf>(stream.collection());
        let token = collection.watch().await?.resume_token();
        tokens.push((stream, token.context("the server tells no position")?));
    }
    Ok(tokens)
}

/// Reads every change since these positions, all collections at once as the loader does.
pub(crate) async fn drain(
    database: &Database,
    tokens: Vec<(Stream, ResumeToken)>,
    documents: &[(Stream, Vec<RawDocumentBuf>)],
) -> Result<Duration> {
    let began = Instant::now();
    let streams = tokens.into_iter().map(|(stream, token)| {
        let collection = database.collection::<RawDocumentBuf>(stream.collection());
        let wanted = documents
            .iter()
            .find(|(of, _)| *of == stream)
            .map_or(0, |(_, all)| all.len());
        async move {
            let watch = collection.watch().start_after(token).batch_size(FETCH).await?;
            let mut watch = watch.with_type::<RawDocumentBuf>();
            let mut read = 0;
            while read < wanted {
                if watch.next_if_any().await?.is_some() {
                    read += 1;
                }
            }
            anyhow::Ok(())
        }
    });
    try_join_all(streams).await?;
    Ok(began.elapsed())
}
