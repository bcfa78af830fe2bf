//! The erased people that this sink knows of; every batch refreshes the list.

use std::sync::Arc;

use pulseline_tombstones::{Register, Tombstones};
use tokio::sync::RwLock;

use crate::error::SinkError;

/// The register, and its content when it was last read.
#[derive(Clone, Debug)]
pub(crate) struct Erasures {
    register: Register,
    known: Arc<RwLock<(i64, Arc<Tombstones>)>>,
}

impl Erasures {
    pub(crate) fn new(register: Register) -> Self {
        Self {
            register,
            known: Arc::default(),
        }
    }

    /// The erased people known now.
    pub(crate) async fn known(&self) -> Arc<Tombstones> {
        Arc::clone(&self.known.read().await.1)
    }

    /// Refreshes the list; returns all of it when it grew since the last call.
    pub(crate) async fn refresh(&self) -> Result<Option<Arc<Tombstones>>, SinkError> {
        let asking = || SinkError::mongo("asking who was erased");
        let revision = self.register.revision().await.map_err(asking())?;
        if revision == self.known.read().await.0 {
            return Ok(None);
        }
        // The list is read after its revision: it may hold more than the revision counts, never less.
        let tombstones = Arc::new(self.register.read().await.map_err(asking())?);
        *self.known.write().await = (revision, Arc::clone(&tombstones));
        Ok(Some(tombstones))
    }
}
