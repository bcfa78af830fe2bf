//! A minimal producer of prepared bytes, and a minimal consumer that discards them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pulseline_clients::kafka::{Guard, Settings};
use pulseline_generator::ensure_topics;
use pulseline_schemas::{DEAD_LETTER_TOPIC, Stream};
use pulseline_tests::World;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::cohort::Ready;

const PARTITIONS: i32 = 4;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Sends everything to separate topics, one per stream, and waits for every acknowledgement.
pub(crate) async fn produce(world: &World, messages: &[Ready]) -> Result<Duration> {
    make_topics(world, "bench.").await?;
    send(world, messages, "bench.")
}

/// Does the same with other topics and without timing, so that the measured run meets a warm broker.
pub(crate) async fn warm(world: &World, messages: &[Ready]) -> Result<()> {
    make_topics(world, "bench.cold.").await?;
    send(world, messages, "bench.cold.").map(drop)
}

/// Sends everything to the streams' own topics.
pub(crate) async fn deliver(world: &World, messages: &[Ready]) -> Result<Duration> {
    ensure_topics(&world.kafka(), PARTITIONS).await?;
    send(world, messages, "")
}

async fn make_topics(world: &World, prefix: &str) -> Result<()> {
    let admin: AdminClient<Guard> = settings(world)?.create()?;
    let names = Stream::ALL
        .map(Stream::topic)
        .into_iter()
        .chain([DEAD_LETTER_TOPIC]);
    let names: Vec<String> = names.map(|topic| format!("{prefix}{topic}")).collect();
    let topics = names
        .iter()
        .map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1)));
    let topics: Vec<_> = topics.collect();
    for made in admin.create_topics(&topics, &AdminOptions::new()).await? {
        made.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    Ok(())
}

fn settings(world: &World) -> Result<Settings> {
    Ok(Settings::new(&world.kafka(), "pulseline-bench")?)
}

/// Uses the generator's settings. Each poll serves delivery reports, so it never sleeps while some are ready.
fn send(world: &World, messages: &[Ready], prefix: &str) -> Result<Duration> {
    let topics = Stream::ALL.map(|stream| format!("{prefix}{}", stream.topic()));
    let producer: BaseProducer<Guard> = settings(world)?
        .idempotent()
        .set("compression.type", "lz4")
        .set("linger.ms", "10")
        .set("queue.buffering.max.kbytes", "8192")
        .set("message.timeout.ms", "0")
        .create()?;
    tokio::task::block_in_place(|| {
        let poll = || {
            producer.poll(Duration::ZERO);
            std::thread::yield_now();
        };
        let began = Instant::now();
        for message in messages {
            let mut record = BaseRecord::to(&topics[message.stream as usize])
                .key(&message.key)
                .payload(&message.payload);
            while let Err((error, back)) = producer.send(record) {
                ensure!(
                    error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull),
                    "{error}"
                );
                poll();
                record = back;
            }
            producer.poll(Duration::ZERO);
        }
        while producer.in_flight_count() > 0 {
            ensure!(began.elapsed() < TIMEOUT * 10, "messages stay unacknowledged");
            poll();
        }
        Ok(began.elapsed())
    })
}

/// Reads every stream's topic from beginning to end.
pub(crate) fn consume(world: &World) -> Result<Duration> {
    tokio::task::block_in_place(|| {
        let consumer: BaseConsumer<Guard> = settings(world)?
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
