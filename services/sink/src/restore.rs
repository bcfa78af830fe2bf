//! Rereads offsets that exist only in Kafka, through the sink's usual path.

use std::ops::Range;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use pulseline_clients::kafka::{Guard, Settings};
use pulseline_clients::registry::Registry;
use pulseline_runtime::clock::Clock;
use pulseline_runtime::health::Health;
use pulseline_runtime::shutdown::Shutdown;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::assignment::watermarks;
use crate::config::SinkConfig;
use crate::consumer::{self, blocking, raw_of};
use crate::decode::{Decoder, fetch};
use crate::entry::{Batch, BatchEntry, End, TopicIncarnation};
use crate::erasures::Erasures;
use crate::error::SinkError;
use crate::flush::{FlushOutcome, flush_batch};
use crate::gaps::Gap;
use crate::incarnations::{Binding, bind};
use crate::metadata_client::MetadataClient;
use crate::outage::Outages;
use crate::service::{Context, SinkConnections, message_bytes_max};
use crate::source::{Partition, Raw, SourceTopic};
use crate::store::Store;

/// Reads ranges of offsets again, beside the sinks of the group.
pub struct Restorer {
    context: Context,
}

impl Restorer {
    /// Opens the stores; joins no group and commits nothing.
    ///
    /// # Errors
    /// A wrong setting or address.
    pub fn open<'a>(
        config: &'a SinkConfig,
        connections: &'a SinkConnections,
        shutdown: &'a Shutdown,
    ) -> BoxFuture<'a, Result<Self, SinkError>> {
        Box::pin(async move {
            let store = Store::open(&connections.mongo).await?;
            Ok(Self {
                context: Context {
                    metadata_client: MetadataClient::new(config, &connections.kafka)?,
                    second_reader: consumer::second_reader(config, &connections.kafka)?,
                    config: Arc::new(config.clone()),
                    message_bytes_max: message_bytes_max(config, &connections.kafka)?,
                    registry: Arc::new(Registry::new(&connections.registry)?),
                    erasures: Erasures::new(store.register()),
                    store,
                    outages: Outages::new(shutdown.clone(), Health::new()),
                    clock: Clock::system(),
                },
            })
        })
    }

    /// Stores what Kafka still has at these offsets; returns the number of messages. Offsets without a message get
    /// receipts. Offsets that Kafka has deleted, or that belong to an earlier incarnation of the topic, stay lost.
    ///
    /// # Errors
    /// Errors of the stores.
    pub fn restore<'a>(
        &'a self,
        (topic, incarnation, number): (&'a str, i32, i32),
        offsets: Range<i64>,
    ) -> BoxFuture<'a, Result<u64, SinkError>> {
        Box::pin(async move {
            let Some(source) = SourceTopic::from_topic(topic) else {
                return Ok(0);
            };
            let partition = Partition { source, number };
            let Some(identity) = self.identity(topic, incarnation).await? else {
                return Ok(0);
            };
            self.context.erasures.refresh().await?;
            let log = watermarks(&self.context, partition).await?;
            let end = offsets.end.min(log.end);
            let mut next = offsets.start.max(log.start);
            let mut messages = 0;
            while next < end {
                let raws = self.read(partition, next..end).await?;
                let read_to = raws.last().map_or(end, |raw| raw.offset + 1);
                messages += raws.len() as u64;
                self.store(partition, &identity, next..read_to, raws).await?;
                next = read_to;
            }
            Ok(messages)
        })
    }

    /// The topic's identity, if it is still that incarnation.
    async fn identity(&self, topic: &str, incarnation: i32) -> Result<Option<TopicIncarnation>, SinkError> {
        let ids = self
            .context
            .metadata_client
            .topic_ids(vec![topic.to_owned()])
            .await?;
        let Some(topic_id) = ids.get(topic).map(ToString::to_string) else {
            return Ok(None);
        };
        let known = self.context.store.incarnations(topic).await?;
        Ok(
            (bind(&known, &topic_id) == Binding::Known(incarnation)).then(|| TopicIncarnation {
                topic_id: topic_id.into(),
                number: incarnation,
            }),
        )
    }

    /// Messages from the first offset on, as many as a batch holds; none when there are none before the end.
    async fn read(&self, partition: Partition, offsets: Range<i64>) -> Result<Vec<Raw>, SinkError> {
        let settings = self.context.second_reader.clone();
        let limits = Limits {
            rows: self.context.config.batch_rows,
            bytes: self.context.config.batch_bytes,
            patience: self.context.config.request_timeout(),
        };
        blocking(move || read_range(&settings, partition, &offsets, &limits)).await
    }

    async fn store(
        &self,
        partition: Partition,
        identity: &TopicIncarnation,
        offsets: Range<i64>,
        raws: Vec<Raw>,
    ) -> Result<(), SinkError> {
        let mut decoder = Decoder::new(self.context.message_bytes_max);
        let incarnation = identity.number;
        let mut entries = Vec::with_capacity(raws.len());
        let gap = |from, end| {
            Gap::between(from, end).map(|gap| BatchEntry::Gap {
                partition,
                incarnation,
                gap,
                is_proven: false,
            })
        };
        let mut next = offsets.start;
        for raw in raws {
            if let Some(id) = decoder.needs(&raw) {
                let (id, answer) = fetch(self.context.clone(), id).await?;
                decoder.learn(id, answer);
            }
            entries.extend(gap(next, raw.offset));
            next = raw.offset + 1;
            let position = partition.position(incarnation, raw.offset);
            entries.push(decoder.entry(raw, position, self.context.clock.now_utc_millis()));
        }
        entries.extend(gap(next, offsets.end));
        let end = End {
            epoch: 0,
            identity: identity.clone(),
            next: offsets.end,
        };
        let batch = Batch {
            bytes: entries.iter().map(BatchEntry::bytes).sum(),
            entries,
            ends: [(partition, end)].into(),
        };
        match flush_batch(self.context.clone(), batch).await? {
            FlushOutcome::Durable(_) => Ok(()),
            // The topic was recreated at this moment: the next query finds another incarnation.
            FlushOutcome::TopicChanged(topic) => Err(SinkError::NoTopic { topic }),
        }
    }

    /// Closes the connections to the brokers.
    pub fn close(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let timeout = self.context.config.close_timeout();
            self.context.metadata_client.close(timeout).await;
        })
    }
}

struct Limits {
    rows: usize,
    bytes: usize,
    patience: std::time::Duration,
}

/// Blocks. Ends at the first message at or after the end of the range, at the end of the partition, or when full.
fn read_range(
    settings: &Settings,
    partition: Partition,
    offsets: &Range<i64>,
    limits: &Limits,
) -> Result<Vec<Raw>, SinkError> {
    let failed = SinkError::kafka("reading messages again");
    let consumer: BaseConsumer<Guard> = settings.create()?;
    let mut start = TopicPartitionList::new();
    start
        .add_partition_offset(
            partition.source.topic(),
            partition.number,
            Offset::Offset(offsets.start),
        )
        .map_err(&failed)?;
    consumer.assign(&start).map_err(&failed)?;
    let (mut raws, mut bytes) = (Vec::new(), 0);
    while raws.len() < limits.rows && bytes < limits.bytes {
        match consumer.poll(limits.patience) {
            Some(Ok(message)) if message.offset() >= offsets.end => break,
            Some(Ok(message)) => {
                bytes += message.payload_len();
                let is_last = message.offset() + 1 == offsets.end;
                raws.extend(raw_of(&message));
                if is_last {
                    break;
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) => return Err(failed(error)),
            None => {
                return Err(SinkError::SlowGap {
                    partition: partition.to_string(),
                });
            }
        }
    }
    Ok(raws)
}
