//! The state that a writer's rows were prepared for: the retention floor (P12), and the erased people (E-1).

use std::collections::HashSet;

use pulseline_sql::write_guard::WriteGuard;
use pulseline_tombstones::{Tombstone, Tombstones};

use super::warehouse::{DeadLetterStore, Warehouse};
use crate::error::LoaderError;

/// The newest known state. It may change at any time; a transaction that finds it changed writes nothing.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) guard: WriteGuard,
    pub(super) tombstones: Tombstones,
}

impl Known {
    /// Adopts the state that a transaction found.
    pub(super) async fn learn(
        &mut self,
        guard: WriteGuard,
        warehouse: &mut dyn Warehouse,
        dead_letters: &dyn DeadLetterStore,
    ) -> Result<(), LoaderError> {
        if guard.erasure_revision != self.guard.erasure_revision {
            // The warehouse stores the hashes, MongoDB their key.
            let hashes = warehouse.hashes().await?;
            let key = dead_letters.erasure_key().await?;
            let key = key.ok_or(LoaderError::NoErasureKey)?;
            let hashes: HashSet<Tombstone> = hashes
                .iter()
                .filter_map(|hash| hash.as_slice().try_into().ok())
                .collect();
            self.tombstones = Tombstones::new(key, hashes);
        }
        self.guard = guard;
        Ok(())
    }
}
