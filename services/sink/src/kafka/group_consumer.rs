//! The sink's member of its consumer group.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_runtime::config::KafkaConfig;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{SinkConsumer, blocking, close, create, raw_of};
use super::settings;
use crate::broker::{Channels, Committed, GroupConsumer};
use crate::config::SinkConfig;
use crate::entry::End;
use crate::error::{Reply, SinkError};
use crate::metrics;
use crate::source::{Partition, Raw, SourceTopic};

/// A consumer that is subscribed to every topic.
#[derive(Clone)]
pub(crate) struct KafkaConsumer {
    client: Arc<SinkConsumer>,
    patience: Duration,
}

impl KafkaConsumer {
    pub(crate) fn subscribe(config: &SinkConfig, kafka: &KafkaConfig) -> Result<(Self, Channels), SinkError> {
        let (client, channels) = create(&settings::group_consumer(config, kafka)?)?;
        let consumer = Self {
            client: Arc::new(client),
            patience: config.request_timeout(),
        };
        consumer.subscribe_to_all()?;
        Ok((consumer, channels))
    }

    fn subscribe_to_all(&self) -> Result<(), SinkError> {
        let subscribed = self.client.subscribe(&SourceTopic::topics());
        subscribed.map_err(SinkError::kafka("subscribing"))
    }

    /// Leaves the group, up to the deadline.
    pub(crate) async fn close(self, deadline: Duration) {
        close(self.client, deadline).await;
    }
}

impl GroupConsumer for KafkaConsumer {
    fn refused(&self) -> BoxFuture<'_, SinkError> {
        Box::pin(async { SinkError::from(self.client.context().guard.refused().await) })
    }

    fn recv(&self) -> BoxFuture<'_, Result<Option<Raw>, KafkaError>> {
        Box::pin(async {
            match self.client.recv().await {
                Ok(message) => Ok(raw_of(&message)),
                Err(KafkaError::PartitionEOF(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn committed(&self, partitions: Vec<Partition>) -> Reply<'_, HashMap<Partition, Committed>> {
        let Self { client, patience } = self.clone();
        Box::pin(blocking(move || read_committed(&client, &partitions, patience)))
    }

    fn assign(&self, starts: &[(Partition, i64)], is_incremental: bool) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(starts.len());
        for (partition, offset) in starts {
            add(&mut list, *partition, *offset);
        }
        if is_incremental {
            self.client.incremental_assign(&list)
        } else {
            self.client.assign(&list)
        }
    }

    fn unassign(&self, partitions: &[Partition], is_incremental: bool) -> KafkaResult<()> {
        if is_incremental {
            self.client.incremental_unassign(&list_of(partitions))
        } else {
            self.client.unassign()
        }
    }

    fn set_paused(&self, partitions: &[Partition], is_paused: bool) -> KafkaResult<()> {
        let list = list_of(partitions);
        if is_paused {
            self.client.pause(&list)
        } else {
            self.client.resume(&list)
        }
    }

    fn store_offsets(&self, ends: &[(Partition, &End)]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(ends.len());
        for (partition, end) in ends {
            add(&mut list, *partition, end.next);
            // At the next start this tells which topic of this name the offset belongs to.
            if let Some(mut element) = list.find_partition(partition.source.topic(), partition.number) {
                element.set_metadata(&*end.identity.topic_id);
            }
        }
        self.client.store_offsets(&list)
    }

    fn commit(&self) -> Reply<'_, ()> {
        let client = Arc::clone(&self.client);
        Box::pin(blocking(move || {
            match client.commit_consumer_state(CommitMode::Sync) {
                Err(error) if error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset) => {
                    metrics::record_commit_error(&error);
                }
                _ => {}
            }
            Ok(())
        }))
    }

    fn subscribe_again(&self) -> Result<(), SinkError> {
        self.client.unsubscribe();
        self.subscribe_to_all()
    }
}

fn list_of(partitions: &[Partition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(partition.source.topic(), partition.number);
    }
    list
}

fn add(list: &mut TopicPartitionList, partition: Partition, offset: i64) {
    let added = list.add_partition_offset(partition.source.topic(), partition.number, Offset::Offset(offset));
    if let Err(error) = added {
        tracing::error!(%error, %partition, offset, "the offset is not valid");
    }
}

fn read_committed(
    consumer: &SinkConsumer,
    partitions: &[Partition],
    timeout: Duration,
) -> Result<HashMap<Partition, Committed>, SinkError> {
    let failed = SinkError::kafka("reading committed offsets");
    let list = consumer
        .committed_offsets(list_of(partitions), timeout)
        .map_err(failed)?;
    let mut committed = HashMap::new();
    for (element, partition) in list.elements().iter().zip(partitions) {
        element.error().map_err(failed)?;
        if let Offset::Offset(offset) = element.offset() {
            committed.insert(
                *partition,
                Committed {
                    offset,
                    topic_id: element.metadata().to_owned(),
                },
            );
        }
    }
    Ok(committed)
}
