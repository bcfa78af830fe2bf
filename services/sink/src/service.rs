//! Wires the sink together.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use pulseline_clients::registry::Registry;
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::{KafkaConfig, MongoConfig, RegistryConfig, require};
use pulseline_runtime::health::Health;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::waits::Hop;

use crate::config::SinkConfig;
use crate::context::{Context, message_bytes_max};
use crate::erasures::Erasures;
use crate::error::SinkError;
use crate::intake::Intake;
use crate::kafka::{KafkaBroker, KafkaConsumer};
use crate::metrics;
use crate::mongo_store::MongoStore;
use crate::outage::Outages;
use crate::reading_indexes;

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
            .outlast(Hop::Mongo, "opening", || MongoStore::open(&mongo))
            .await?;
        outages
            .outlast(Hop::Mongo, "position indexes", || store.ensure_indexes())
            .await?;
        reading_indexes::make(store.clone(), shutdown.clone());
        let erasures = Erasures::new(Arc::new(store.clone()));
        outages
            .outlast(Hop::Mongo, "asking who was erased", || erasures.refresh())
            .await?;
        let close_timeout = config.close_timeout();
        let broker = KafkaBroker::new(&config, &kafka)?;
        let (consumer, channels) = KafkaConsumer::subscribe(&config, &kafka)?;
        let context = Context {
            message_bytes_max: message_bytes_max(&config, &kafka)?,
            config: Arc::new(config),
            broker: Arc::new(broker.clone()),
            registry,
            erasures,
            store: Arc::new(store),
            outages,
            clock: Clock::system(),
        };
        tracing::info!(group = context.config.group, "the sink starts: Kafka to MongoDB");
        let intake = Intake::new(context, (Arc::new(consumer.clone()), channels), shutdown);
        let ended = intake.run().await;
        health.set_ready(false);
        consumer.close(close_timeout).await;
        broker.close(close_timeout).await;
        ended
    })
}
