//! Records in Kafka the time zone of a person's first replay, for all later replays. A replay in another zone would
//! duplicate the same readings at other times.

use std::collections::BTreeMap;
use std::time::Duration;

use pulseline_archive::Survey;
use pulseline_clients::kafka::{Guard, KafkaFailure, Settings};
use pulseline_runtime::config::KafkaConfig;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::error::GeneratorError;

/// A compacted topic with one record per device: the key is the device, the value its zone.
const TOPIC: &str = "pulseline.replayed_zones";
const TIMEOUT: Duration = Duration::from_secs(15);
const CLIENT: &str = "pulseline-generator";

/// Records the zones of people without one.
///
/// # Errors
/// When a person's files were replayed in another zone; Kafka's errors.
pub(super) async fn record(kafka: &KafkaConfig, survey: &Survey) -> Result<(), GeneratorError> {
    make_topic(kafka).await?;
    let kafka_again = kafka.clone();
    let known = tokio::task::spawn_blocking(move || read(&kafka_again))
        .await
        .map_err(|_| GeneratorError::Planner)??;
    let mut unknown = Vec::new();
    for person in &survey.people {
        for device in &person.devices {
            let key = device.hyphenated().to_string();
            match known.get(&key) {
                Some(zone) if *zone == person.zone => {}
                Some(zone) => {
                    return Err(GeneratorError::OtherZone {
                        person: person.name.clone(),
                        recorded: zone.clone(),
                        asked: person.zone.clone(),
                    });
                }
                None => unknown.push((key, person.zone.as_str())),
            }
        }
    }
    write(kafka, &unknown).await
}

async fn make_topic(kafka: &KafkaConfig) -> Result<(), GeneratorError> {
    let admin = Settings::new(kafka, CLIENT)?.admin(TIMEOUT).await?;
    let replication = TopicReplication::Fixed(kafka.replication_factor);
    let topic = NewTopic::new(TOPIC, 1, replication).set("cleanup.policy", "compact");
    let options = AdminOptions::new()
        .request_timeout(Some(TIMEOUT))
        .operation_timeout(Some(TIMEOUT));
    let topics = [topic];
    let making = admin.create_topics(&topics, &options);
    let made = admin
        .inner()
        .context()
        .unless_refused("creating the topic of zones", making)
        .await;
    for made in made? {
        match made {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(GeneratorError::Topic { topic, code }),
        }
    }
    Ok(())
}

/// Reads all records.
fn read(kafka: &KafkaConfig) -> Result<BTreeMap<String, String>, GeneratorError> {
    let failed = KafkaFailure::of("reading the zones of earlier replays");
    let mut settings = Settings::new(kafka, CLIENT)?;
    // This client never joins a group, but it requires a group id.
    settings
        .set("group.id", CLIENT)
        .set("enable.auto.commit", "false");
    let consumer: BaseConsumer<Guard> = settings.create()?;
    let mut partitions = TopicPartitionList::new();
    partitions
        .add_partition_offset(TOPIC, 0, Offset::Beginning)
        .map_err(failed)?;
    consumer.assign(&partitions).map_err(failed)?;
    let (_, end) = consumer.fetch_watermarks(TOPIC, 0, TIMEOUT).map_err(failed)?;
    let mut zones = BTreeMap::new();
    let mut next = 0;
    while next < end {
        // A timeout counts as an outage.
        let message = consumer
            .poll(TIMEOUT)
            .unwrap_or(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::OperationTimedOut,
            )));
        let message = message.map_err(failed)?;
        next = message.offset() + 1;
        if let (Some(Ok(key)), Some(Ok(zone))) = (message.key_view::<str>(), message.payload_view::<str>()) {
            zones.insert(key.to_owned(), zone.to_owned());
        }
    }
    Ok(zones)
}

async fn write(kafka: &KafkaConfig, zones: &[(String, &str)]) -> Result<(), GeneratorError> {
    let failed = KafkaFailure::of("recording a zone");
    let producer: FutureProducer<Guard> = Settings::new(kafka, CLIENT)?.set("acks", "all").create()?;
    for (device, zone) in zones {
        let record = FutureRecord::to(TOPIC).key(device).payload(*zone);
        let sent = producer.send(record, TIMEOUT).await;
        sent.map_err(|(error, _)| failed(error))?;
    }
    Ok(())
}
