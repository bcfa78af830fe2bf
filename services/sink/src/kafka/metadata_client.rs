//! Queries the brokers for metadata, on separate connections.
//!
//! A broker answers the requests of a connection in order. On the fetching connection, a query waits behind a
//! fetch that waits for messages, up to half a second, and each batch has a query.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use pulseline_runtime::config::KafkaConfig;
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::timeout;
use uuid::Uuid;

use super::client::{SinkConsumer, blocking, bystander, close};
use super::topic_id;
use crate::config::SinkConfig;
use crate::error::SinkError;
use crate::source::Partition;

/// Queries the brokers for metadata, and never fetches.
#[derive(Clone)]
pub(super) struct MetadataClient {
    client: Arc<SinkConsumer>,
    patience: Duration,
}

impl MetadataClient {
    pub(super) fn new(config: &SinkConfig, kafka: &KafkaConfig) -> Result<Self, SinkError> {
        Ok(Self {
            client: Arc::new(bystander(config, kafka)?),
            patience: config.request_timeout(),
        })
    }

    /// Kafka's ids of these topics; topics that do not exist are left out.
    pub(super) async fn topic_ids(&self, topics: Vec<String>) -> Result<HashMap<String, Uuid>, SinkError> {
        self.empty().await;
        let Self { client, patience } = self.clone();
        blocking(move || {
            let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
            topic_id::describe(&*client, &topics, patience).map_err(SinkError::kafka("asking for topic ids"))
        })
        .await
    }

    /// Log start and last stable offset of a partition.
    pub(super) async fn watermarks(&self, partition: Partition) -> Result<Range<i64>, SinkError> {
        self.empty().await;
        let Self { client, patience } = self.clone();
        blocking(move || {
            let marks = client.fetch_watermarks(partition.source.topic(), partition.number, patience);
            marks
                .map(|(low, high)| low..high)
                .map_err(SinkError::kafka("asking for the ends of a partition"))
        })
        .await
    }

    /// The last stable offset of each of these partitions, in one request to each broker.
    pub(super) async fn ends(
        &self,
        partitions: Vec<Partition>,
    ) -> Result<HashMap<Partition, i64>, SinkError> {
        self.bounds(partitions, Offset::End).await
    }

    /// The log start of each of these partitions, in one request to each broker.
    pub(super) async fn starts(
        &self,
        partitions: Vec<Partition>,
    ) -> Result<HashMap<Partition, i64>, SinkError> {
        self.bounds(partitions, Offset::Beginning).await
    }

    async fn bounds(
        &self,
        partitions: Vec<Partition>,
        which: Offset,
    ) -> Result<HashMap<Partition, i64>, SinkError> {
        if partitions.is_empty() {
            return Ok(HashMap::new());
        }
        self.empty().await;
        let Self { client, patience } = self.clone();
        let failed = SinkError::kafka("asking for the bounds of partitions");
        blocking(move || {
            let mut list = TopicPartitionList::with_capacity(partitions.len());
            for partition in &partitions {
                list.add_partition_offset(partition.source.topic(), partition.number, which)
                    .map_err(failed)?;
            }
            let list = client.offsets_for_times(list, patience).map_err(failed)?;
            let mut bounds = HashMap::with_capacity(partitions.len());
            for (element, partition) in list.elements().iter().zip(partitions) {
                element.error().map_err(failed)?;
                let Offset::Offset(offset) = element.offset() else {
                    let topic = partition.source.topic().to_owned();
                    return Err(SinkError::NoTopic { topic });
                };
                bounds.insert(partition, offset);
            }
            Ok(bounds)
        })
        .await
    }

    /// Drains the client's events about lost connections: nothing else polls it, and they would pile up.
    async fn empty(&self) {
        while let Ok(said) = timeout(Duration::ZERO, self.client.recv()).await {
            if let Err(error) = said {
                tracing::debug!(%error, "Kafka");
            }
        }
    }

    /// Closes its connections, up to the deadline.
    pub(super) async fn close(self, deadline: Duration) {
        close(self.client, deadline).await;
    }
}
