//! What a writer's rows were prepared for: the floor of retention (P12), and who was erased (E-1).

use std::collections::HashSet;

use bson::RawDocumentBuf;
use mongodb::Collection;
use pulseline_sql::write_guard::WriteGuard;
use pulseline_sql::{Client, Transaction};
use pulseline_tombstones::{Register, Tombstone, Tombstones};

use crate::error::LoaderError;

/// The newest that is known. It may change at any time; a transaction that finds it changed writes nothing.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) guard: WriteGuard,
    pub(super) tombstones: Tombstones,
}

impl Known {
    /// Holds floor and erasures until the transaction ends.
    ///
    /// # Errors
    /// [`LoaderError::Moved`] when they are not the known ones: then the batch may hold what must not be written.
    pub(super) async fn hold(&self, tx: &Transaction<'_>) -> Result<(), LoaderError> {
        let holding = LoaderError::sql("holding the floor and the list of the erased");
        let guard = pulseline_sql::write_guard::hold(tx).await.map_err(holding)?;
        if guard == self.guard {
            Ok(())
        } else {
            Err(LoaderError::Moved { guard })
        }
    }

    /// Takes over what a transaction found.
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

/// The hashes are the warehouse's, their key is MongoDB's.
async fn tombstones(
    client: &Client,
    dead_letters: &Collection<RawDocumentBuf>,
) -> Result<Tombstones, LoaderError> {
    let reading = LoaderError::sql("reading who was erased");
    let hashes = pulseline_sql::forgotten::hashes(client).await.map_err(reading)?;
    let database = dead_letters.client().database(&dead_letters.namespace().db);
    let key = Register::of(&database).key().await;
    let key = key.map_err(LoaderError::mongo("reading the key of the erased"))?;
    let key = key.ok_or(LoaderError::NoErasureKey)?;
    let hashes: HashSet<Tombstone> = hashes
        .iter()
        .filter_map(|hash| hash.as_slice().try_into().ok())
        .collect();
    Ok(Tombstones::new(key, hashes))
}
