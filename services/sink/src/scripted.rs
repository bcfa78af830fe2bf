//! Kafka, MongoDB and the registry in memory, for tests. Every call can be rejected, lose its reply, or be held up.

mod broker;
mod documents;
mod kafka;
mod measures;
mod script;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use pulseline_clients::registry::RegistryError;
use pulseline_runtime::clock::Clock;
use pulseline_runtime::health::Health;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::{
    Event, Extra, LocalMillis, Step, Steps, Stream, Upload, UtcMillis, WriterSchema, encode, frame,
};
use uuid::Uuid;

use crate::config::SinkConfig;
use crate::context::{Context, SchemaRegistry};
use crate::erasures::Erasures;
use crate::outage::Outages;
use crate::source::{Partition, SourceTopic};

pub(crate) use documents::{Call as StoreCall, ScriptedStore};
pub(crate) use kafka::{Call as KafkaCall, ScriptedKafka};
pub(crate) use measures::Measures;
pub(crate) use script::{Hold, within};

/// The time of every test.
pub(crate) const NOW: i64 = 1_600_000_000_000;
/// The partition of most tests.
pub(crate) const PARTITION: Partition = Partition {
    source: SourceTopic::Stream(Stream::Steps),
    number: 0,
};
/// The schema of [`PARTITION`]'s stream in the registry.
const SCHEMA_ID: u32 = 3;

/// A registry that knows the schema of steps.
#[derive(Default)]
pub(crate) struct ScriptedRegistry {
    pub(crate) is_away: AtomicBool,
}

impl SchemaRegistry for ScriptedRegistry {
    fn schema(&self, id: u32) -> BoxFuture<'_, Result<Arc<WriterSchema>, RegistryError>> {
        Box::pin(async move {
            if self.is_away.load(Ordering::Acquire) {
                let reason = "scripted".to_owned();
                return Err(RegistryError::Unavailable { reason });
            }
            match id {
                SCHEMA_ID => Ok(Arc::new(
                    WriterSchema::parse(Stream::Steps.schema_json()).unwrap(),
                )),
                _ => Err(RegistryError::NotFound { id }),
            }
        })
    }
}

/// The servers of a test, and a sink's context that asks them.
pub(crate) struct Servers {
    pub(crate) kafka: Arc<ScriptedKafka>,
    pub(crate) store: Arc<ScriptedStore>,
    pub(crate) registry: Arc<ScriptedRegistry>,
}

impl Servers {
    /// Servers with an empty topic of steps.
    pub(crate) fn start() -> Self {
        let servers = Self {
            kafka: Arc::new(ScriptedKafka::new()),
            store: Arc::new(ScriptedStore::new()),
            registry: Arc::default(),
        };
        servers.kafka.create_topic(PARTITION.source);
        servers
    }

    pub(crate) fn context(&self, config: SinkConfig, shutdown: &Shutdown, health: &Health) -> Context {
        Context {
            config: Arc::new(config),
            message_bytes_max: 1 << 20,
            broker: self.kafka.clone(),
            registry: self.registry.clone(),
            store: self.store.clone(),
            erasures: Erasures::new(self.store.clone()),
            outages: Outages::new(shutdown.clone(), health.clone()),
            clock: Clock::fixed(NOW),
        }
    }
}

/// An upload of one quarter of an hour.
pub(crate) fn steps(event_id: u128, count: i32) -> Steps {
    Steps {
        upload: Upload {
            event_id: Uuid::from_u128(event_id),
            device_id: Uuid::from_u128(9),
            synced_at: UtcMillis(NOW),
            utc_offset_minutes: 60,
            window_start: LocalMillis(0),
            window_end: LocalMillis(900_000),
        },
        samples: vec![Step {
            ts: LocalMillis(0),
            steps: count,
        }],
        extra: Extra::default(),
    }
}

/// The bytes of a message with this event.
pub(crate) fn payload(event: Steps) -> Vec<u8> {
    frame(SCHEMA_ID, &encode(&Event::Steps(event)).unwrap())
}
