//! Kafka's view: the end of each partition, and the sink's committed offsets.

use std::collections::BTreeMap;
use std::time::Duration;

use pulseline_clients::kafka::{Guard, KafkaFailure, Settings, metadata};
use pulseline_runtime::config::KafkaConfig;
use pulseline_schemas::{DEAD_LETTER_TOPIC, Stream};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::connections::AuditorConnections;
use crate::error::AuditError;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A partition of a topic of ours.
pub(crate) type Partition = (String, i32);

/// One partition, as Kafka reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// The last stable offset: the first one that was not produced yet (P2).
    pub(crate) end: i64,
    /// The first offset that the sink has not committed.
    pub(crate) committed: i64,
}

/// Topics of all streams and of the generator's dead letters.
pub fn topics() -> impl Iterator<Item = &'static str> {
    Stream::ALL
        .into_iter()
        .map(Stream::topic)
        .chain([DEAD_LETTER_TOPIC])
}

/// Asks Kafka for the ends of every partition of Pulseline's topics. Topics that do not exist have none.
pub(crate) async fn ends(connections: &AuditorConnections) -> Result<BTreeMap<Partition, Ends>, AuditError> {
    let (kafka, group) = (connections.kafka.clone(), connections.group.clone());
    let asked = tokio::task::spawn_blocking(move || ask(&kafka, &group)).await;
    asked.map_err(|error| {
        AuditError::Unexpected(format!("an internal task ended without a result: {error}"))
    })?
}

fn ask(kafka: &KafkaConfig, group: &str) -> Result<BTreeMap<Partition, Ends>, AuditError> {
    let mut settings = Settings::new(kafka, "pulseline-auditor")?;
    settings
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false");
    let consumer: BaseConsumer<Guard> = settings.create()?;
    let metadata = metadata(&consumer, TIMEOUT)?;
    let failed = KafkaFailure::of("asking for the ends of partitions");
    let mut list = TopicPartitionList::new();
    for topic in metadata
        .topics()
        .iter()
        .filter(|topic| topics().any(|name| name == topic.name()))
    {
        for partition in topic.partitions() {
            list.add_partition(topic.name(), partition.id());
        }
    }
    let committed = consumer
        .committed_offsets(list.clone(), TIMEOUT)
        .map_err(failed)?;
    let mut ends = BTreeMap::new();
    for element in committed.elements() {
        let (_, end) = consumer
            .fetch_watermarks(element.topic(), element.partition(), TIMEOUT)
            .map_err(failed)?;
        let committed = match element.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        };
        ends.insert(
            (element.topic().to_owned(), element.partition()),
            Ends { end, committed },
        );
    }
    Ok(ends)
}
