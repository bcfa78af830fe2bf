//! Handmade messages, for cases that the simulation does not produce.

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
/// Messages without acknowledgement, at most.
const IN_FLIGHT: usize = 1_000;

/// A producer that knows the schemas' ids.
pub struct Hand {
    producer: FutureProducer<Guard>,
    registry: Registry,
    /// Id of the schema that was registered; a test registers one at a time.
    ids: Mutex<[Option<u32>; Stream::COUNT]>,
}

impl Hand {
    /// Creates missing topics, with one partition each.
    ///
    /// # Errors
    /// An error of Kafka or the registry.
    pub async fn new(world: &World) -> Result<Self> {
        Self::with(world, None).await
    }

    /// A transactional producer: [`Hand::commit`] makes its messages visible, and commit markers take offsets.
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

    /// Sends an event as the generator does; returns its offset.
    ///
    /// # Errors
    /// An error of Kafka.
    pub async fn event(&self, event: &Event) -> Result<i64> {
        let id = self.id(event.stream()).await?;
        self.bytes(
            event.stream(),
            &event.key().to_string(),
            &frame(id, &encode(event)?),
        )
        .await
    }

    /// Sends all planned events at once, and waits for every acknowledgement. Deliveries without an event are
    /// skipped.
    ///
    /// # Errors
    /// An error of Kafka.
    pub async fn events(&self, planned: &[Planned]) -> Result<()> {
        let events = planned.iter().filter_map(|planned| match &planned.payload {
            Payload::Event(event) => Some(event),
            _ => None,
        });
        futures_util::stream::iter(events.map(Ok))
            .try_for_each_concurrent(IN_FLIGHT, async |event| self.event(event).await.map(drop))
            .await
    }

    /// Sends raw bytes; returns their offset.
    ///
    /// # Errors
    /// An error of Kafka.
    pub async fn bytes(&self, stream: Stream, key: &str, payload: &[u8]) -> Result<i64> {
        let record = FutureRecord::to(stream.topic()).key(key).payload(payload);
        let sent = self.producer.send(record, TIMEOUT).await;
        Ok(sent.map_err(|(error, _)| error)?.offset)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// An error of the client.
    pub fn begin(&self) -> Result<()> {
        Ok(self.producer.begin_transaction()?)
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// An error of Kafka.
    pub fn commit(&self) -> Result<()> {
        Ok(self.producer.commit_transaction(TIMEOUT)?)
    }

    /// Aborts the transaction: its messages stay in the log, and no `read_committed` consumer reads them.
    ///
    /// # Errors
    /// An error of Kafka.
    pub fn abort(&self) -> Result<()> {
        Ok(self.producer.abort_transaction(TIMEOUT)?)
    }
}
