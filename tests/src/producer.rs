//! Messages by hand: what no simulation would send.

use std::time::Duration;

use anyhow::Result;
use pulseline_generator::ensure_topics;
use pulseline_schemas::{Event, Registry, Stream, encode, frame};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use crate::world::World;

const TIMEOUT: Duration = Duration::from_secs(30);

/// A producer that knows the schemas' ids.
pub struct Hand {
    producer: FutureProducer,
    registry: Registry,
}

impl Hand {
    /// Makes the topics with one partition each, where they are missing.
    ///
    /// # Errors
    /// What Kafka or the registry say.
    pub async fn new(world: &World) -> Result<Self> {
        Self::with(world, None).await
    }

    /// A producer whose messages become visible by [`Hand::commit`] only; commit markers take offsets of their own.
    ///
    /// # Errors
    /// As [`Hand::new`].
    pub async fn transactional(world: &World) -> Result<Self> {
        let hand = Self::with(world, Some("pulseline-tests")).await?;
        hand.producer.init_transactions(TIMEOUT)?;
        Ok(hand)
    }

    async fn with(world: &World, transactional_id: Option<&str>) -> Result<Self> {
        ensure_topics(&world.kafka(), 1).await?;
        let mut settings = ClientConfig::new();
        settings
            .set("bootstrap.servers", &world.endpoints.kafka_brokers)
            .set("acks", "all");
        if let Some(id) = transactional_id {
            settings.set("transactional.id", id);
        }
        Ok(Self {
            producer: settings.create()?,
            registry: Registry::new(&world.endpoints.registry_url)?,
        })
    }

    /// Sends an event as the generator would; gives its offset.
    ///
    /// # Errors
    /// What Kafka says.
    pub async fn event(&self, event: &Event) -> Result<i64> {
        let id = self.registry.register(event.stream()).await?;
        self.bytes(
            event.stream(),
            &event.key().to_string(),
            &frame(id, &encode(event)?),
        )
        .await
    }

    /// Sends these very bytes; gives their offset.
    ///
    /// # Errors
    /// What Kafka says.
    pub async fn bytes(&self, stream: Stream, key: &str, payload: &[u8]) -> Result<i64> {
        let record = FutureRecord::to(stream.topic()).key(key).payload(payload);
        let sent = self.producer.send(record, TIMEOUT).await;
        Ok(sent.map_err(|(error, _)| error)?.offset)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// What the client says.
    pub fn begin(&self) -> Result<()> {
        Ok(self.producer.begin_transaction()?)
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// What Kafka says.
    pub fn commit(&self) -> Result<()> {
        Ok(self.producer.commit_transaction(TIMEOUT)?)
    }

    /// Aborts the transaction: its messages stay in the log and are never read.
    ///
    /// # Errors
    /// What Kafka says.
    pub fn abort(&self) -> Result<()> {
        Ok(self.producer.abort_transaction(TIMEOUT)?)
    }
}
