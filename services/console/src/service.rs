//! The console from start to stop.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use pulseline_auditor::Watch;
use pulseline_compactor::CompactorConfig;
use pulseline_runtime::http::{HttpError, Server};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry::Health;

use crate::answers::Answers;
use crate::config::ConsoleConfig;
use crate::error::ConsoleError;
use crate::guard::Guard;
use crate::metrics;
use crate::replay::Replayer;
use crate::routes::{Console, router};
use crate::warehouse::Warehouse;
use crate::watcher::Watcher;

/// What the console polls.
#[derive(Clone, Debug)]
pub struct ConsoleConnections {
    /// The three stores, as `status` reads them.
    pub audited: pulseline_auditor::AuditorConnections,
    /// What the next cycle would do depends on it.
    pub compactor: CompactorConfig,
}

/// Serves the page until a stop is asked for. Servers that are away are shown, and waited for.
///
/// # Errors
/// A wrong setting, or an address that is taken.
pub fn run(
    config: ConsoleConfig,
    connections: ConsoleConnections,
    health: Health,
    shutdown: Shutdown,
) -> BoxFuture<'static, Result<(), ConsoleError>> {
    Box::pin(async move {
        config.validate().map_err(ConsoleError::Config)?;
        metrics::describe();
        let server = Server::bind("console", &config.http()).await;
        let server = server.map_err(|error| match error {
            HttpError::Config(why) => ConsoleError::Config(why),
            HttpError::Listen(source) => ConsoleError::Listen {
                address: config.listen,
                source,
            },
        })?;
        let ConsoleConnections { audited, compactor } = connections;
        // One for each of the two who ask, so that neither waits for the other, nor ends the other's statement with its own.
        let [polled, asked] = std::array::from_fn(|_| Warehouse::new(audited.timescale.clone()));
        let replayer = Replayer::new(pulseline_dead_letters::ReplayConnections {
            kafka: audited.kafka.clone(),
            mongo: audited.mongo.clone(),
            timescale: audited.timescale.clone(),
        });
        let console = Arc::new(Console {
            guard: Guard::new(&config, server.address()),
            watcher: Watcher::start(Watch::new(audited), polled, shutdown.clone()),
            answers: Answers::new(asked, compactor),
            replayer,
        });
        let replay = if console.guard.can_replay() {
            "on"
        } else {
            "off: console.token is not set"
        };
        tracing::info!(replay, "page at {}/", server.url());
        // Ready without any server: showing which one is away is its work.
        health.set_ready(true);
        tokio::select! {
            () = server.serve(router(console), shutdown.stopping()) => {}
            // A browser that keeps a request open does not keep the console.
            () = shutdown.abandoned() => {}
        }
        Ok(())
    })
}
