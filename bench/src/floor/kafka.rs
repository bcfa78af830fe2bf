//! A bare producer of ready bytes, and a bare consumer to nothing.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pulseline_schemas::Stream;
use pulseline_tests::World;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::cohort::Ready;

const TOPIC: &str = "bench.ready";
const PARTITIONS: i32 = 4;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Sends everything and waits for every acknowledgement, with the generator's settings.
pub(crate) async fn produce(world: &World, messages: &[Ready]) -> Result<Duration> {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", &world.endpoints.kafka_brokers);
    let admin: AdminClient<DefaultClientContext> = settings.create()?;
    let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
    for made in admin.create_topics(&[topic], &AdminOptions::new()).await? {
        made.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    settings
        .set("enable.idempotence", "true")
        .set("linger.ms", "10")
        .set("queue.buffering.max.kbytes", "8192")
        .set("compression.type", "lz4");
    tokio::task::block_in_place(|| {
        let producer: BaseProducer = settings.create()?;
        let began = Instant::now();
        for message in messages {
            let mut record = BaseRecord::to(TOPIC).key(&message.key).payload(&message.payload);
            while let Err((error, back)) = producer.send(record) {
                ensure!(
                    error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull),
                    "{error}"
                );
                producer.poll(Duration::from_millis(10));
                record = back;
            }
            producer.poll(Duration::ZERO);
        }
        producer.flush(TIMEOUT)?;
        Ok(began.elapsed())
    })
}

/// Reads every topic of the streams from its beginning to its end.
pub(crate) fn consume(world: &World) -> Result<Duration> {
    tokio::task::block_in_place(|| {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &world.endpoints.kafka_brokers)
            .set("group.id", "bench")
            .set("enable.auto.commit", "false")
            .create()?;
        let mut list = TopicPartitionList::new();
        let mut wanted = 0;
        for stream in Stream::ALL {
            for partition in 0..PARTITIONS {
                let (low, high) = consumer.fetch_watermarks(stream.topic(), partition, TIMEOUT)?;
                wanted += high - low;
                list.add_partition_offset(stream.topic(), partition, Offset::Beginning)?;
            }
        }
        let began = Instant::now();
        consumer.assign(&list)?;
        let mut read = 0;
        while read < wanted {
            match consumer.poll(TIMEOUT) {
                Some(message) => drop(message?),
                None => anyhow::bail!("only {read} of {wanted} messages came"),
            }
            read += 1;
        }
        Ok(began.elapsed())
    })
}
