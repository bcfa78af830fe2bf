//! Rereads offsets that exist only in Kafka, through the sink's usual path.

use std::ops::Range;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use pulseline_clients::registry::Registry;
use pulseline_runtime::clock::Clock;
use pulseline_runtime::health::Health;
use pulseline_runtime::shutdown::Shutdown;

use crate::assignment::watermarks;
use crate::config::SinkConfig;
use crate::context::{Context, message_bytes_max};
use crate::decode::{Decoder, fetch};
use crate::entry::{Batch, BatchEntry, End, TopicIncarnation};
use crate::erasures::Erasures;
use crate::error::SinkError;
use crate::flush::{FlushOutcome, flush_batch};
use crate::gaps::Gap;
use crate::incarnations::{Binding, bind};
use crate::kafka::KafkaBroker;
use crate::mongo_store::MongoStore;
use crate::outage::Outages;
use crate::service::SinkConnections;
use crate::source::{Partition, Raw, SourceTopic};

/// Reads ranges of offsets again, beside the sinks of the group.
pub struct Restorer {
    context: Context,
    broker: KafkaBroker,
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
            let store = Arc::new(MongoStore::open(&connections.mongo).await?);
            let broker = KafkaBroker::new(config, &connections.kafka)?;
            let context = Context {
                config: Arc::new(config.clone()),
                message_bytes_max: message_bytes_max(config, &connections.kafka)?,
                broker: Arc::new(broker.clone()),
                registry: Arc::new(Registry::new(&connections.registry)?),
                erasures: Erasures::new(store.clone()),
                store,
                outages: Outages::new(shutdown.clone(), Health::new()),
                clock: Clock::system(),
            };
            Ok(Self { context, broker })
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
                let limits = self.context.config.limits();
                let raws = self.context.broker.read(partition, next..end, limits).await?;
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
        let ids = self.context.broker.topic_ids(vec![topic.to_owned()]).await?;
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
            drop(self.context);
            self.broker.close(timeout).await;
        })
    }
}
