//! Who was erased, as far as this sink knows; asked again with every batch.

use std::sync::Arc;

use pulseline_tombstones::{Register, Tombstones};
use tokio::sync::RwLock;

use crate::error::SinkError;

/// The register, and what it held when it was last read.
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

    /// Who is known to be erased.
    pub(crate) async fn known(&self) -> Arc<Tombstones> {
        Arc::clone(&self.known.read().await.1)
    }

    /// Asks the register; gives everybody when somebody was added since.
    pub(crate) async fn refresh(&self) -> Result<Option<Arc<Tombstones>>, SinkError> {
        let asking = || SinkError::mongo("asking who was erased");
        let revision = self.register.revision().await.map_err(asking())?;
        if revision == self.known.read().await.0 {
            return Ok(None);
        }
        // Read after its revision: it may hold more than that counts, never less.
        let tombstones = Arc::new(self.register.read().await.map_err(asking())?);
        *self.known.write().await = (revision, Arc::clone(&tombstones));
        Ok(Some(tombstones))
    }
}
