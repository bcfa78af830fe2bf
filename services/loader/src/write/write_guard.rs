//! The state that a writer's rows were prepared for: the retention floor (P12), and the erased people (E-1).

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
            let forgotten = warehouse.forgotten().await?;
            let key = dead_letters.erasure_key().await?;
            let key = key.ok_or(LoaderError::NoErasureKey)?;
            let tombstone = |hash: &Vec<u8>| Tombstone::try_from(hash.as_slice()).ok();
            let hashes = forgotten.hashes.iter().filter_map(tombstone).collect();
            let days = forgotten.days.iter();
            let days = days.filter_map(|(device, days)| Some((tombstone(device)?, days.clone())));
            self.tombstones = Tombstones::new(key, hashes).with_days(days);
        }
        self.guard = guard;
        Ok(())
    }
}
