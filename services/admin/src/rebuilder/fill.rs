//! Loader and compactor of the new warehouse: the same code as for the one in use, in this process.

use std::time::Duration;

use pulseline_compactor::CompactorError;
use pulseline_loader::LoaderError;
use pulseline_runtime::clock::Clock;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry::Health;
use tokio::task::{JoinError, JoinHandle};

use crate::rebuilder::error::RebuilderError;
use crate::rebuilder::settings::Rebuilder;

/// How long they get to finish their work.
const DRAIN: Duration = Duration::from_secs(20);

/// Runs both until they are stopped.
pub(crate) struct Filling {
    shutdown: Shutdown,
    loader: JoinHandle<Result<(), LoaderError>>,
    compactor: JoinHandle<Result<(), CompactorError>>,
    outer: Shutdown,
}

impl Filling {
    pub(crate) fn start(beside: &Rebuilder) -> Self {
        let (shutdown, healer) = (Shutdown::new(), &beside.healer);
        let connections = pulseline_loader::LoaderConnections {
            mongo: healer.audited.mongo.clone(),
            timescale: healer.audited.timescale.clone(),
        };
        let loader = pulseline_loader::run(
            healer.loader.clone(),
            connections,
            Health::new(),
            shutdown.clone(),
        );
        let compactor = pulseline_compactor::run(
            beside.compactor.clone(),
            healer.audited.timescale.clone(),
            Clock::system(),
            Health::new(),
            shutdown.clone(),
        );
        Self {
            loader: tokio::spawn(loader),
            compactor: tokio::spawn(compactor),
            outer: healer.shutdown.clone(),
            shutdown,
        }
    }

    /// Ends when one of them does, or when told to stop; returns their error, if any.
    pub(crate) async fn ended(&mut self) -> Result<(), RebuilderError> {
        tokio::select! {
            ended = &mut self.loader => Ok(ended.map_err(died)??),
            ended = &mut self.compactor => Ok(ended.map_err(died)??),
            () = self.outer.stopping() => Ok(()),
        }
    }

    /// Stops both. After a swap their schemas are gone: nothing is left to finish, and their errors do
    /// not matter.
    pub(crate) async fn stop(self, is_swapped: bool) {
        self.shutdown.stop();
        if is_swapped {
            self.shutdown.abandon();
        }
        let ended =
            async { tokio::join!(settle("loader", self.loader), settle("compactor", self.compactor)) };
        tokio::pin!(ended);
        if tokio::time::timeout(DRAIN, &mut ended).await.is_err() {
            self.shutdown.abandon();
            ended.await;
        }
    }
}

async fn settle<E: ToString>(name: &str, task: JoinHandle<Result<(), E>>) {
    // One that has ended was awaited already.
    if task.is_finished() {
        return;
    }
    let ended = match task.await {
        Ok(ended) => ended.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = ended {
        tracing::debug!(name, error, "ended");
    }
}

fn died(error: JoinError) -> RebuilderError {
    RebuilderError::Task(error.to_string())
}
