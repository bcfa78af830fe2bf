//! What every part of the sink shares.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use pulseline_clients::registry::{Registry, RegistryError};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::KafkaConfig;
use pulseline_schemas::WriterSchema;
use pulseline_schemas::codec::ALLOCATION_BYTES_MAX;

use crate::broker::Broker;
use crate::config::SinkConfig;
use crate::erasures::Erasures;
use crate::error::SinkError;
use crate::event_store::EventStore;
use crate::outage::Outages;

/// What the sink asks of the registry: a trait, so that tests can answer in its place.
pub(crate) trait SchemaRegistry: Send + Sync {
    /// The schema with this id.
    fn schema(&self, id: u32) -> BoxFuture<'_, Result<Arc<WriterSchema>, RegistryError>>;
}

impl SchemaRegistry for Registry {
    fn schema(&self, id: u32) -> BoxFuture<'_, Result<Arc<WriterSchema>, RegistryError>> {
        Self::schema(self, id)
    }
}

/// Shared by every part of the sink.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) config: Arc<SinkConfig>,
    /// Largest message that is decoded.
    pub(crate) message_bytes_max: usize,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) registry: Arc<dyn SchemaRegistry>,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) erasures: Erasures,
    pub(crate) outages: Outages,
    pub(crate) clock: Clock,
}

/// Largest message that is decoded: the sink's own limit where one is set, else that of the topics.
pub(crate) fn message_bytes_max(config: &SinkConfig, kafka: &KafkaConfig) -> Result<usize, SinkError> {
    let bytes = config.message_bytes_max.unwrap_or(kafka.message_bytes_max);
    match usize::try_from(bytes) {
        Ok(bytes) if (1..=ALLOCATION_BYTES_MAX).contains(&bytes) => Ok(bytes),
        _ => Err(SinkError::Config(format!(
            "kafka.message_bytes_max must be 1 to {ALLOCATION_BYTES_MAX}"
        ))),
    }
}
