//! Registries that serve one scenario after another: to empty one takes less time than to start one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use pulseline_stack::{Extras, Server, Stack, StackOptions};

use crate::own;
use crate::world::stack_root;

/// Registries that no scenario uses now; the processes end with this one.
static IDLE: Mutex<Vec<Stack>> = Mutex::new(Vec::new());
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A registry for the caller alone, with what the scenario before left in it.
pub(crate) async fn take() -> Result<Stack> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    match idle {
        Some(stack) => Ok(stack),
        None => start().await,
    }
}

/// Takes back the registry of a scenario that succeeded; that of a failed one may be in any state, and is dropped.
pub(crate) fn give_back(stack: Stack) {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(stack);
}

async fn start() -> Result<Stack> {
    let options = StackOptions {
        root: stack_root(),
        name: format!("test-registry-{}", STARTED.fetch_add(1, Ordering::Relaxed)),
        fresh: true,
    };
    let servers = own::embedded(&[Server::Registry]);
    Ok(Stack::start_with(&options, Extras::default(), &servers, &|_: &str| ()).await?)
}
