//! The console's lifecycle.

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

/// The connections that the console polls.
#[derive(Clone, Debug)]
pub struct ConsoleConnections {
    /// The connections of `status`.
    pub audited: pulseline_auditor::AuditorConnections,
    /// Settings of the compactor, for the plan of its next cycle.
    pub compactor: CompactorConfig,
}

/// Serves the page until a stop is requested. Unreachable servers are shown and polled again.
///
/// # Errors
/// A wrong setting, or an address already in use.
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
        // Poller and page have a session each: neither waits for the other or cancels the other's statement.
        let [polled, asked] = std::array::from_fn(|_| Warehouse::new(audited.timescale.clone()));
        let replayer = Replayer::new(pulseline_admin::dead_letters::ReplayConnections {
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
        tracing::info!(replay, "console at {}/", server.url());
        // Ready without any server: the console shows which ones are unreachable.
        health.set_ready(true);
        tokio::select! {
            () = server.serve(router(console), shutdown.stopping()) => {}
            // An open request does not delay the stop.
            () = shutdown.abandoned() => {}
        }
        Ok(())
    })
}
