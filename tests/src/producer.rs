//! Handmade messages that no simulation would send.

use std::time::Duration;

use anyhow::Result;
use futures_util::TryStreamExt;
use pulseline_clients::kafka::{Guard, Settings};
use pulseline_clients::registry::Registry;
use pulseline_generator::{Payload, Planned, ensure_topics};
use pulseline_schemas::{Event, Stream, encode, frame};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::sync::Mutex;

use crate::world::World;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Messages that wait for their acknowledgement.
const IN_FLIGHT: usize = 1_000;

/// A producer that knows the schemas' ids.
pub struct Hand {
    producer: FutureProducer<Guard>,
    registry: Registry,
    /// Of the schemas that were registered; one is at a time.
    ids: Mutex<[Option<u32>; Stream::COUNT]>,
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
        let mut settings = Settings::new(&world.kafka(), "pulseline-tests")?;
        settings.set("acks", "all");
        if let Some(id) = transactional_id {
            settings.set("transactional.id", id);
        }
        Ok(Self {
            producer: settings.create()?,
            registry: Registry::new(&world.registry())?,
            ids: Mutex::default(),
        })
    }

    async fn id(&self, stream: Stream) -> Result<u32> {
        let mut ids = self.ids.lock().await;
        if let Some(id) = ids[stream as usize] {
            return Ok(id);
        }
        let id = self.registry.register(stream).await?;
        ids[stream as usize] = Some(id);
        Ok(id)
    }

    /// Sends an event as the generator would; gives its offset.
    ///
    /// # Errors
    /// What Kafka says.
    pub async fn event(&self, event: &Event) -> Result<i64> {
        let id = self.id(event.stream()).await?;
        self.bytes(
            event.stream(),
            &event.key().to_string(),
            &frame(id, &encode(event)?),
        )
        .await
    }

    /// Sends what was planned, all at once, and waits for every acknowledgement. What is no event is left out.
    ///
    /// # Errors
    /// What Kafka says.
    pub async fn events(&self, planned: &[Planned]) -> Result<()> {
        let events = planned.iter().filter_map(|planned| match &planned.payload {
            Payload::Event(event) => Some(event),
            _ => None,
        });
        futures_util::stream::iter(events.map(Ok))
            .try_for_each_concurrent(IN_FLIGHT, async |event| self.event(event).await.map(drop))
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
