//! The sink as a whole, on scripted servers.

mod delivery;
mod faults;
mod positions;
mod stops;

use std::sync::Arc;

use pulseline_runtime::health::Health;
use pulseline_runtime::shutdown::Shutdown;
use tokio::task::JoinHandle;

use crate::broker::{GroupConsumer, RebalanceKind};
use crate::config::SinkConfig;
use crate::error::SinkError;
use crate::intake::Intake;
use crate::scripted::{PARTITION, Servers, payload, steps, within};

/// The collection of [`PARTITION`]'s events.
const STEPS: &str = "steps";

/// A running sink.
struct Sink {
    shutdown: Shutdown,
    health: Health,
    running: JoinHandle<Result<(), SinkError>>,
}

impl Sink {
    /// Starts a sink; the group assigns it one partition.
    fn start(servers: &Servers) -> Self {
        Self::start_with(servers, SinkConfig::default())
    }

    fn start_with(servers: &Servers, config: SinkConfig) -> Self {
        let shutdown = Shutdown::new();
        let health = Health::watching(shutdown.waits());
        let context = servers.context(config, &shutdown, &health);
        let consumer: Arc<dyn GroupConsumer> = servers.kafka.clone();
        let intake = Intake::new(context, (consumer, servers.kafka.join()), shutdown.clone());
        servers.kafka.rebalance(RebalanceKind::Assign, &[PARTITION]);
        Self {
            shutdown,
            health,
            running: tokio::spawn(intake.run()),
        }
    }

    /// Waits until the sink has ended by itself.
    async fn ended(self) -> Result<(), SinkError> {
        within("the sink's end", self.running).await.unwrap()
    }

    /// Kills it in the middle of its work.
    async fn kill(self) {
        self.running.abort();
        assert!(self.running.await.unwrap_err().is_cancelled());
    }

    /// Stops it, and waits until it has finished its work.
    async fn stop(self) -> Result<(), SinkError> {
        self.shutdown.stop();
        self.ended().await
    }
}

/// A batch of few messages.
fn small_batches() -> SinkConfig {
    SinkConfig {
        batch_rows: 3,
        ..SinkConfig::default()
    }
}

/// Adds these events, each with one message.
fn produce(servers: &Servers, events: impl IntoIterator<Item = u128>) {
    for event in events {
        servers.kafka.produce(PARTITION, payload(steps(event, 5)));
    }
}

/// Waits until everything up to an offset was handed over to be committed.
#[track_caller]
fn stored_up_to(servers: &Servers, offset: i64) -> impl Future<Output = ()> {
    let what = format!("offset {offset}");
    servers
        .kafka
        .until(&what, move |cluster| cluster.stored_at(PARTITION) == Some(offset))
}
