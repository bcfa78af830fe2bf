//! Kafka itself: the brokers, asked by clients outside the group, and the member of the group.

mod client;
mod group_consumer;
mod metadata_client;
mod second_reader;
mod settings;
mod topic_id;

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use pulseline_clients::kafka::Settings;
use pulseline_runtime::batch::Limits;
use pulseline_runtime::config::KafkaConfig;
use uuid::Uuid;

use self::client::blocking;
use self::metadata_client::MetadataClient;
use self::second_reader::{read_again, read_range};
use crate::broker::Broker;
use crate::config::SinkConfig;
use crate::error::{Reply, SinkError};
use crate::gaps::OfTopic;
use crate::source::{Partition, Raw, SourceTopic};

pub(crate) use self::group_consumer::KafkaConsumer;

/// A client for metadata, and short-lived clients that read messages again.
#[derive(Clone)]
pub(crate) struct KafkaBroker {
    metadata_client: MetadataClient,
    second_reader: Settings,
    patience: Duration,
}

impl KafkaBroker {
    pub(crate) fn new(config: &SinkConfig, kafka: &KafkaConfig) -> Result<Self, SinkError> {
        Ok(Self {
            metadata_client: MetadataClient::new(config, kafka)?,
            second_reader: settings::second_reader(config, kafka)?,
            patience: config.request_timeout(),
        })
    }

    /// Closes its connections, up to the deadline.
    pub(crate) async fn close(self, deadline: Duration) {
        self.metadata_client.close(deadline).await;
    }
}

impl Broker for KafkaBroker {
    fn topic_ids(&self, topics: Vec<String>) -> Reply<'_, HashMap<String, Uuid>> {
        Box::pin(self.metadata_client.topic_ids(topics))
    }

    fn watermarks(&self, partition: Partition) -> Reply<'_, Range<i64>> {
        Box::pin(self.metadata_client.watermarks(partition))
    }

    fn starts(&self, partitions: Vec<Partition>) -> Reply<'_, HashMap<Partition, i64>> {
        Box::pin(self.metadata_client.starts(partitions))
    }

    fn ends(&self, partitions: Vec<Partition>) -> Reply<'_, HashMap<Partition, i64>> {
        Box::pin(self.metadata_client.ends(partitions))
    }

    fn read_again(&self, source: SourceTopic, gaps: OfTopic) -> Reply<'_, Vec<(Partition, i64)>> {
        let (settings, patience) = (self.second_reader.clone(), self.patience);
        Box::pin(blocking(move || read_again(&settings, source, &gaps, patience)))
    }

    fn read(&self, partition: Partition, offsets: Range<i64>, limits: Limits) -> Reply<'_, Vec<Raw>> {
        let (settings, patience) = (self.second_reader.clone(), self.patience);
        Box::pin(blocking(move || {
            read_range(&settings, partition, &offsets, (limits, patience))
        }))
    }
}
