//! Kafka and registry that serve one scenario after another: Java takes longer to start than they to be emptied.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use pulseline_stack::{Extras, Server, Stack, StackOptions};

use crate::own;
use crate::world::stack_root;

/// Those that no scenario uses now; the processes end with this one.
static IDLE: Mutex<Vec<Stack>> = Mutex::new(Vec::new());
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// Servers for the caller alone, with what the scenario before left in them.
pub(crate) async fn take() -> Result<Stack> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    match idle {
        Some(stack) => Ok(stack),
        None => start().await,
    }
}

/// Takes back the servers of a scenario that succeeded; those of one that failed may be in any state, and are dropped.
pub(crate) fn give_back(stack: Stack) {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(stack);
}

/// A stack's name that another test program, which may run at the same time, does not give.
pub(crate) fn name_here(name: &str) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    // Cargo puts a hash behind it.
    let stem = stem.rsplit_once('-').map_or(&*stem, |(stem, _)| stem);
    format!("test-{stem}-{name}")
}

async fn start() -> Result<Stack> {
    let options = StackOptions {
        root: stack_root(),
        name: name_here(&format!("shared-{}", STARTED.fetch_add(1, Ordering::Relaxed))),
        fresh: true,
    };
    let servers = own::embedded(&[Server::Kafka, Server::Registry]);
    Ok(Stack::start_with(&options, Extras::default(), &servers, &|_: &str| ()).await?)
}
