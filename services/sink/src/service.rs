//! Wires the sink together.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use pulseline_clients::kafka::Settings;
use pulseline_clients::registry::Registry;
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::{KafkaConfig, MongoConfig, RegistryConfig, require};
use pulseline_runtime::health::Health;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::codec::ALLOCATION_BYTES_MAX;

use crate::config::SinkConfig;
use crate::consumer;
use crate::erasures::Erasures;
use crate::error::SinkError;
use crate::intake::Intake;
use crate::intake::group::commit;
use crate::metadata_client::MetadataClient;
use crate::metrics;
use crate::outage::{Outages, Server};
use crate::reading_indexes;
use crate::store::Store;

/// The servers that the sink uses.
#[derive(Clone, Debug)]
pub struct SinkConnections {
    /// The source of messages.
    pub kafka: KafkaConfig,
    /// The source of schemas.
    pub registry: RegistryConfig,
    /// The target of documents.
    pub mongo: MongoConfig,
}

/// Shared by every part of the sink.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) config: Arc<SinkConfig>,
    /// Largest message that is decoded.
    pub(crate) message_bytes_max: usize,
    pub(crate) metadata_client: MetadataClient,
    pub(crate) second_reader: Settings,
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Store,
    pub(crate) erasures: Erasures,
    pub(crate) outages: Outages,
    pub(crate) clock: Clock,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
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

/// Stores messages until told to stop. It waits out outages; several sinks share the partitions.
///
/// A stop ends intake, then stores and commits what was accepted. Abandoning drops that; the next start reads it again.
///
/// # Errors
/// Permanent failures: a wrong setting, a fenced member, a position that another event holds, an unknown
/// error; [`SinkError::Abandoned`] when the drain was cut short.
pub fn run(
    config: SinkConfig,
    connections: SinkConnections,
    health: Health,
    shutdown: Shutdown,
) -> BoxFuture<'static, Result<(), SinkError>> {
    Box::pin(async move {
        config.validate().map_err(SinkError::Config)?;
        let SinkConnections {
            kafka,
            registry,
            mongo,
        } = connections;
        let needed = [
            ("kafka", "brokers", kafka.brokers.as_str()),
            ("registry", "url", registry.url.expose()),
        ];
        for (section, field, value) in needed.into_iter().chain([("mongo", "uri", mongo.uri.expose())]) {
            require(value, section, field).map_err(|error| SinkError::Config(error.to_string()))?;
        }
        metrics::describe();
        let outages = Outages::new(shutdown.clone(), health.clone());
        let registry = Arc::new(Registry::new(&registry)?);
        let store = outages
            .outlast(Server::Mongo, "opening", || Store::open(&mongo))
            .await?;
        outages
            .outlast(Server::Mongo, "position indexes", || store.ensure_indexes())
            .await?;
        reading_indexes::make(store.clone(), shutdown.clone());
        let erasures = Erasures::new(store.register());
        outages
            .outlast(Server::Mongo, "asking who was erased", || erasures.refresh())
            .await?;
        let close_timeout = config.close_timeout();
        let second_reader = consumer::second_reader(&config, &kafka)?;
        let metadata_client = MetadataClient::new(&config, &kafka)?;
        let (consumer, channels) = consumer::subscribe(&config, &kafka)?;
        let context = Context {
            message_bytes_max: message_bytes_max(&config, &kafka)?,
            config: Arc::new(config),
            metadata_client: metadata_client.clone(),
            second_reader,
            registry,
            erasures,
            store,
            outages,
            clock: Clock::system(),
        };
        tracing::info!(group = context.config.group, "the sink starts: Kafka to MongoDB");
        let ended = Intake::new(context, (Arc::clone(&consumer), channels), shutdown)
            .run()
            .await;
        health.set_ready(false);
        if ended.is_ok() {
            commit(Arc::clone(&consumer)).await?;
        }
        consumer::close(consumer, close_timeout).await;
        metadata_client.close(close_timeout).await;
        ended
    })
}
