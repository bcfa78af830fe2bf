//! The state that a writer's rows were prepared for: the retention floor (P12), and the erased people (E-1).

use std::collections::HashSet;

use bson::RawDocumentBuf;
use mongodb::Collection;
use pulseline_sql::write_guard::WriteGuard;
use pulseline_sql::{Client, Transaction};
use pulseline_tombstones::{Register, Tombstone, Tombstones};

use crate::error::LoaderError;

/// The newest known state. It may change at any time; a transaction that finds it changed writes nothing.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) guard: WriteGuard,
    pub(super) tombstones: Tombstones,
}

impl Known {
    /// Locks floor and erasures until the transaction ends.
    ///
    /// # Errors
    /// [`LoaderError::Moved`] when they have changed: the batch may hold data that must not be written.
    pub(super) async fn hold(&self, tx: &Transaction<'_>) -> Result<(), LoaderError> {
        let holding = LoaderError::sql("locking the floor and the list of erased people");
        let guard = pulseline_sql::write_guard::hold(tx).await.map_err(holding)?;
        if guard == self.guard {
            Ok(())
        } else {
            Err(LoaderError::Moved { guard })
        }
    }

    /// Adopts the state that a transaction found.
    pub(super) async fn learn(
        &mut self,
        guard: WriteGuard,
        client: &Client,
        dead_letters: &Collection<RawDocumentBuf>,
    ) -> Result<(), LoaderError> {
        if guard.erasure_revision != self.guard.erasure_revision {
            self.tombstones = tombstones(client, dead_letters).await?;
        }
        self.guard = guard;
        Ok(())
    }
}

/// The warehouse stores the hashes, MongoDB their key.
async fn tombstones(
    client: &Client,
    dead_letters: &Collection<RawDocumentBuf>,
) -> Result<Tombstones, LoaderError> {
    let reading = LoaderError::sql("reading the list of erased people");
    let hashes = pulseline_sql::forgotten::hashes(client).await.map_err(reading)?;
    let database = dead_letters.client().database(&dead_letters.namespace().db);
    let key = Register::of(&database).key().await;
    let key = key.map_err(LoaderError::mongo(
        "reading the key of the erased people's hashes",
    ))?;
    let key = key.ok_or(LoaderError::NoErasureKey)?;
    let hashes: HashSet<Tombstone> = hashes
        .iter()
        .filter_map(|hash| hash.as_slice().try_into().ok())
        .collect();
    Ok(Tombstones::new(key, hashes))
}
