//! Sends a plan to Kafka: one thread plans and encodes, one task paces and sends.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::future::try_join_all;
use pulseline_clients::registry::Registry;
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::{KafkaConfig, RegistryConfig};
use pulseline_runtime::retry::{RetryError, retry_transient};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::{Stream, UtcMillis};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::{SimulateConfig, Start};
use crate::counts::{Counts, Summary};
use crate::error::GeneratorError;
use crate::metrics;
use crate::pace::Pace;
use crate::plan::{Plan, plan};
use crate::produce::deliver::deliver;
use crate::produce::message::Message;
use crate::produce::sender::Sender;
use crate::produce::topics::ensure_topics;

/// Most encoded messages between planning and sending: at most 4 kB each.
const PLANNED_MESSAGES: usize = 128;

/// Connections of the generator.
#[derive(Clone, Debug, Default)]
pub struct GeneratorConnections {
    /// Kafka.
    pub kafka: KafkaConfig,
    /// The schema registry.
    pub registry: RegistryConfig,
}

/// Creates missing topics, registers the schemas, and sends the plan at the configured speed. `counts` is updated
/// meanwhile. A stop ends it early, after all sent messages are acknowledged.
///
/// # Errors
/// See [`GeneratorError`]; outages are retried.
pub fn simulate<'a>(
    config: &'a SimulateConfig,
    connections: &'a GeneratorConnections,
    clock: Clock,
    counts: Arc<Counts>,
    shutdown: Shutdown,
) -> BoxFuture<'a, Result<Summary, GeneratorError>> {
    Box::pin(async move {
        metrics::describe();
        let now = UtcMillis(clock.now_utc_millis());
        let plan = plan(config, now).map_err(GeneratorError::Config)?;
        // Connects while topics and schemas are prepared.
        let sender = Sender::new(&connections.kafka, Arc::clone(&counts))?;
        let Some(schema_ids) = prepare(config.partitions, connections, &shutdown).await? else {
            return Ok(counts.snapshot());
        };
        let (planned, messages) = mpsc::channel(PLANNED_MESSAGES);
        let planner = start_planning(plan, schema_ids, planned);
        let pace = |at| match config.from {
            Start::Now => Pace::new(clock.clone(), config.speed, now),
            // Simulated time starts with the first message.
            Start::Day(_) => Pace::new(clock.clone(), config.speed, at),
        };
        deliver(&sender, messages, pace, &shutdown).await?;
        planner.await.map_err(|_| GeneratorError::Planner)??;
        let summary = counts.snapshot();
        let total = summary.total();
        tracing::info!(
            messages = total.acknowledged,
            readings = total.readings,
            "simulation ended"
        );
        Ok(summary)
    })
}

/// Prepares topics and schema ids; none when a stop was requested during an outage.
pub(crate) async fn prepare(
    partitions: i32,
    connections: &GeneratorConnections,
    shutdown: &Shutdown,
) -> Result<Option<[u32; Stream::COUNT]>, GeneratorError> {
    let registry = Registry::new(&connections.registry)?;
    let prepared = retry_transient(shutdown, "preparing topics and schemas", || async {
        let topics = ensure_topics(&connections.kafka, partitions);
        let ((), ids) = tokio::try_join!(topics, register(&registry))?;
        Ok::<_, GeneratorError>(ids)
    });
    tokio::select! {
        biased;
        () = shutdown.stopping() => Ok(None),
        prepared = prepared => match prepared {
            Ok(ids) => Ok(Some(ids)),
            Err(RetryError::Failed(error)) => Err(error),
            Err(RetryError::Abandoned) => Ok(None),
        },
    }
}

/// Ids of all schemas, in the order of [`Stream::ALL`].
async fn register(registry: &Registry) -> Result<[u32; Stream::COUNT], GeneratorError> {
    registry.set_compatibility().await?;
    let ids = try_join_all(Stream::ALL.map(|stream| registry.register(stream))).await?;
    Ok(std::array::from_fn(|stream| ids[stream]))
}

fn start_planning(
    plan: Plan,
    schema_ids: [u32; Stream::COUNT],
    planned: mpsc::Sender<Message>,
) -> JoinHandle<Result<(), GeneratorError>> {
    tokio::task::spawn_blocking(move || {
        for delivery in plan {
            // The receiver is closed: a stop was requested.
            if planned
                .blocking_send(Message::new(delivery, &schema_ids)?)
                .is_err()
            {
                break;
            }
        }
        Ok(())
    })
}
