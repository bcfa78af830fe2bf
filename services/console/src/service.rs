//! The console from start to stop.

use std::sync::Arc;

use pulseline_auditor::Watch;
use pulseline_compactor::CompactorConfig;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry::Health;
use tokio::net::TcpListener;

use crate::answers::Answers;
use crate::config::ConsoleConfig;
use crate::error::ConsoleError;
use crate::guard::Guard;
use crate::metrics;
use crate::replay::Replayer;
use crate::routes::{Console, router};
use crate::warehouse::Warehouse;
use crate::watcher::Watcher;

/// What the console looks at.
#[derive(Clone, Debug)]
pub struct Connections {
    /// The three stores, as `status` reads them.
    pub audited: pulseline_auditor::Connections,
    /// What the next cycle would do depends on it.
    pub compactor: CompactorConfig,
}

/// Serves the page until a stop is asked for. Servers that are away are shown, and waited for.
///
/// # Errors
/// A wrong setting, or an address that is taken.
pub async fn run(
    config: ConsoleConfig,
    connections: Connections,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), ConsoleError> {
    config.validate().map_err(ConsoleError::Config)?;
    metrics::describe();
    let address = config.listen;
    let failed = |source| ConsoleError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let Connections { audited, compactor } = connections;
    let warehouse = Arc::new(Warehouse::new(audited.timescale.clone()));
    let replayer = Replayer::new(pulseline_letters::Connections {
        kafka: audited.kafka.clone(),
        mongo: audited.mongo.clone(),
        timescale: audited.timescale.clone(),
    });
    let console = Arc::new(Console {
        guard: Guard::new(&config, bound),
        watcher: Watcher::start(Watch::new(audited), Arc::clone(&warehouse), shutdown.clone()),
        answers: Answers::new(warehouse, compactor),
        replayer,
    });
    let replay = if console.guard.can_replay() {
        "on"
    } else {
        "off: console.token is not set"
    };
    tracing::info!(replay, "page at http://{bound}/");
    // Ready without any server: showing which one is away is its work.
    health.set_ready(true);
    let stop = shutdown.clone();
    let serving =
        axum::serve(listener, router(console)).with_graceful_shutdown(async move { stop.stopping().await });
    tokio::select! {
        ended = IntoFuture::into_future(serving) => ended.map_err(ConsoleError::Serve),
        // A browser that keeps a request open does not keep the console.
        () = shutdown.abandoned() => Ok(()),
    }
}
