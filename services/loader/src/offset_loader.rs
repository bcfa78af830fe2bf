//! Loads documents by their Kafka offsets: documents that the change streams missed, or that raw has lost.

use std::ops::Range;

use bson::{Document, doc};
use futures_util::future::BoxFuture;
use pulseline_clients::mongo::Database;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::Stream;
use pulseline_schemas::pages::Pages;

use crate::config::LoaderConfig;
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::reading::Reading;
use crate::service::{self, LoaderConnections};
use crate::write::{Purpose, opening};

/// Offsets of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// Kafka topic.
    pub topic: String,
    /// The incarnation of the topic.
    pub incarnation: i32,
    /// Kafka partition.
    pub partition: i32,
    /// The offsets.
    pub offsets: Range<i64>,
}

impl Offsets {
    /// Documents of a collection at these offsets.
    fn filter(&self, source: SourceCollection) -> Document {
        let Range { start, end } = self.offsets;
        let mut filter = doc! {
            "kafka.topic": &self.topic, "kafka.generation": self.incarnation, "kafka.partition": self.partition,
        };
        if source == SourceCollection::Receipts {
            // A receipt may cover a range.
            filter.insert("kafka.offset", doc! { "$lt": end });
            filter.insert("kafka.last_offset", doc! { "$gte": start });
        } else {
            filter.insert("kafka.offset", doc! { "$gte": start, "$lt": end });
        }
        filter
    }
}

/// Reads documents by their offsets and loads them, accounting included.
pub struct OffsetLoader {
    connections: LoaderConnections,
    config: LoaderConfig,
    database: Database,
}

impl OffsetLoader {
    /// Opens the document store.
    ///
    /// # Errors
    /// A wrong connection string.
    pub fn open<'a>(
        connections: &'a LoaderConnections,
        config: &'a LoaderConfig,
    ) -> BoxFuture<'a, Result<Self, LoaderError>> {
        Box::pin(async move {
            Ok(Self {
                connections: connections.clone(),
                config: config.clone(),
                database: service::open_database(&connections.mongo).await?,
            })
        })
    }

    /// Loads the events, receipts and dead letters at these offsets; returns the number of documents.
    ///
    /// # Errors
    /// Errors of the stores.
    pub fn load<'a>(
        &'a self,
        at: &'a Offsets,
        shutdown: &'a Shutdown,
    ) -> BoxFuture<'a, Result<u64, LoaderError>> {
        Box::pin(async move {
            let own = Stream::from_topic(&at.topic).map(SourceCollection::Stream);
            let mut documents = 0;
            for source in own
                .into_iter()
                .chain([SourceCollection::Receipts, SourceCollection::DeadLetters])
            {
                documents += self.load_from(source, at, shutdown).await?;
            }
            Ok(documents)
        })
    }

    async fn load_from(
        &self,
        source: SourceCollection,
        at: &Offsets,
        shutdown: &Shutdown,
    ) -> Result<u64, LoaderError> {
        let timescale = &self.connections.timescale;
        let mut writer = opening::beside(timescale, &self.database, source, Purpose::LoadOffsets).await?;
        let reading = Reading {
            collection: self.database.collection(source.name()),
            pages: Pages::unordered(at.filter(source)),
        };
        let mut documents = 0;
        let ended = reading.load(&mut writer, &self.config, shutdown, |written| {
            documents += written.documents as u64;
        });
        ended.await?;
        Ok(documents)
    }

    /// Closes the document store.
    pub fn close(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.database.close().await;
        })
    }
}
