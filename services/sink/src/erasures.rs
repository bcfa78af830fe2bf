//! The erased people that this sink knows of; every batch refreshes the list.

use std::sync::Arc;

use pulseline_tombstones::Tombstones;
use tokio::sync::RwLock;

use crate::error::SinkError;
use crate::event_store::EventStore;

/// The erased people as they were last read.
#[derive(Clone)]
pub(crate) struct Erasures {
    store: Arc<dyn EventStore>,
    known: Arc<RwLock<(i64, Arc<Tombstones>)>>,
}

impl Erasures {
    pub(crate) fn new(store: Arc<dyn EventStore>) -> Self {
        Self {
            store,
            known: Arc::default(),
        }
    }

    /// The erased people known now.
    pub(crate) async fn known(&self) -> Arc<Tombstones> {
        Arc::clone(&self.known.read().await.1)
    }

    /// Refreshes the list; returns all of it when it grew since the last call.
    pub(crate) async fn refresh(&self) -> Result<Option<Arc<Tombstones>>, SinkError> {
        let revision = self.store.erasure_revision().await?;
        if revision == self.known.read().await.0 {
            return Ok(None);
        }
        // The list is read after its revision: it may hold more than the revision counts, never less.
        let tombstones = Arc::new(self.store.tombstones().await?);
        *self.known.write().await = (revision, Arc::clone(&tombstones));
        Ok(Some(tombstones))
    }
}
