//! Kafka cannot delete one person's messages: the report says until when it keeps them. Zones of replays, which Kafka would
//! keep forever, are deleted by tombstones.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pulseline_clients::kafka::{Guard, KafkaFailure, Settings};
use pulseline_runtime::config::KafkaConfig;
use pulseline_schemas::{DEAD_LETTER_TOPIC, Stream};
use rdkafka::admin::{AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use uuid::Uuid;

use crate::eraser::error::EraserError;
use crate::eraser::report::Kept;

const TIMEOUT: Duration = Duration::from_secs(15);
/// Written by replays: a device's time zone under its id, compacted (see the generator).
const ZONES: &str = "pulseline.replayed_zones";

const CLIENT: &str = "pulseline-eraser";

/// Until when each topic keeps messages produced before now.
pub(crate) async fn kept(kafka: &KafkaConfig) -> Result<Vec<Kept>, EraserError> {
    let admin = Settings::new(kafka, CLIENT)?.admin(TIMEOUT).await?;
    let topics: Vec<&str> = Stream::ALL
        .map(Stream::topic)
        .into_iter()
        .chain([DEAD_LETTER_TOPIC])
        .collect();
    let asked: Vec<ResourceSpecifier<'_>> = topics
        .iter()
        .map(|topic| ResourceSpecifier::Topic(topic))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    let describing = admin.describe_configs(&asked, &options);
    let guard = admin.inner().context();
    let described = guard
        .unless_refused("asking how long topics keep messages", describing)
        .await?;
    let now = Timestamp::now();
    let mut kept = Vec::new();
    for (topic, resource) in topics.iter().zip(described) {
        // A topic that does not exist keeps nothing.
        let Ok(resource) = resource else { continue };
        kept.push(Kept {
            topic: (*topic).to_owned(),
            until: last_ms(&resource).and_then(|ms| now.checked_add(SignedDuration::from_millis(ms)).ok()),
        });
    }
    Ok(kept)
}

/// How long a message of now may stay: until its segment is closed, then its retention. None: forever, or until compaction.
fn last_ms(resource: &ConfigResource) -> Option<i64> {
    let value = |name: &str| {
        let entry = resource.entries.iter().find(|entry| entry.name == name)?;
        entry.value.clone()
    };
    value("cleanup.policy").filter(|policy| policy.contains("delete"))?;
    let number = |name: &str| value(name)?.parse::<i64>().ok();
    let retention = number("retention.ms").filter(|ms| *ms >= 0)?;
    let segment = number("segment.ms").unwrap_or_default();
    let delay = number("file.delete.delay.ms").unwrap_or_default();
    Some(retention.saturating_add(segment).saturating_add(delay))
}

/// Deletes the zones of these devices, where replays wrote any.
pub(crate) async fn remove_zones(kafka: &KafkaConfig, devices: &[Uuid]) -> Result<(), EraserError> {
    let mut settings = Settings::new(kafka, CLIENT)?;
    let producer: FutureProducer<Guard> = settings.set("acks", "all").create()?;
    let asking = producer.clone();
    let has_zones = tokio::task::spawn_blocking(move || {
        // Asks for all topics: a request by name could create the topic.
        let metadata = asking.client().fetch_metadata(None, TIMEOUT);
        let metadata = metadata.map_err(KafkaFailure::of("asking for topics"))?;
        Ok::<_, KafkaFailure>(metadata.topics().iter().any(|topic| topic.name() == ZONES))
    });
    if !has_zones
        .await
        .map_err(|error| EraserError::Task(error.to_string()))??
    {
        return Ok(());
    }
    for device in devices {
        let key = device.hyphenated().to_string();
        let record: FutureRecord<'_, str, [u8]> = FutureRecord::to(ZONES).key(&key);
        let sent = producer.send(record, TIMEOUT).await;
        sent.map_err(|(error, _)| KafkaFailure::of("deleting a zone")(error))?;
    }
    Ok(())
}
