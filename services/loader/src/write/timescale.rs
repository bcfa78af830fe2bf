//! The warehouse itself: a connection of one writer, and the statements of its collection's table.

use std::time::Duration;

use pulseline_sql::forgotten::{self, Forgotten};
use pulseline_sql::write_guard::{self, WriteGuard};
use pulseline_sql::{Client, Transaction};
use uuid::Uuid;

use super::limits;
use super::purpose::Purpose;
use super::rows::BatchRows;
use super::transaction::{Pieces, Table};
use super::warehouse::{Answer, Newest, Warehouse, Work};
use super::{dead_letters, ops_tables, readings};
use crate::batch::Progress;
use crate::checkpoint::Checkpoint;
use crate::document::SourceCollection;
use crate::error::LoaderError;

/// A connection to the warehouse.
pub(super) struct Timescale {
    source: SourceCollection,
    client: Client,
    table: Table,
    /// The server ends a transaction that is silent for this long: a new owner must not wait for its locks.
    silence: Duration,
}

impl Timescale {
    pub(super) fn new(source: SourceCollection, client: Client, silence: Duration) -> Self {
        Self {
            source,
            client,
            table: Table::of(source),
            silence,
        }
    }
}

impl Warehouse for Timescale {
    fn newest<'a>(&'a mut self, devices: &'a [Uuid]) -> Answer<'a, Newest> {
        Box::pin(async move {
            let Table::Readings(statements) = &self.table else {
                return Ok(Vec::new());
            };
            readings::newest(&self.client, statements, devices).await
        })
    }

    fn newest_until<'a>(&'a mut self, ends: &'a [(Uuid, i64)]) -> Answer<'a, Newest> {
        Box::pin(async move {
            let Table::Readings(statements) = &self.table else {
                return Ok(Vec::new());
            };
            readings::newest_until(&self.client, statements, ends).await
        })
    }

    fn write<'a>(&'a mut self, work: Work<'a>) -> Answer<'a, u64> {
        Box::pin(async move {
            let pieces = Pieces::encode(&self.table, work.rows);
            let tx = limits::begin(&mut self.client, "beginning a transaction").await?;
            // Sent together, in this order.
            tokio::try_join!(
                biased;
                limits::set(&tx, self.silence, work.unpacks),
                hold(&tx, work.guard)
            )?;
            let touched = pieces.apply(&tx).await?;
            dead_letters::insert(&tx, &work.batch.dead_letters).await?;
            let (accounts, progress) = (work.accounts(), &work.batch.progress);
            let moved = async {
                match work.purpose {
                    Purpose::Follow(checkpoint) => checkpoint.advance(&tx, progress).await,
                    Purpose::Backfill(mark) => {
                        let figures = (work.batch.documents, touched.rows);
                        mark.advance(&tx, progress.page_position.as_ref(), figures).await
                    }
                    Purpose::ReplayDeadLetter | Purpose::LoadOffsets => Ok(()),
                }
            };
            // Sent together, in this order.
            tokio::try_join!(
                biased;
                ops_tables::dirty_days(&tx, self.source, &touched.days),
                ops_tables::accounts(&tx, &accounts),
                moved
            )?;
            // From here the outcome may stay unknown: the next opening reads it from the checkpoint.
            tx.commit().await.map_err(LoaderError::statement("committing"))?;
            Ok(touched.rows)
        })
    }

    fn probe<'a>(&'a mut self, rows: BatchRows<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let pieces = Pieces::encode(&self.table, rows);
            let tx = limits::begin(&mut self.client, "beginning a probe").await?;
            // Merged rows may decompress chunks that a direct copy would not touch.
            limits::set(&tx, self.silence, true).await?;
            let tried = pieces.apply(&tx).await;
            tx.rollback()
                .await
                .map_err(LoaderError::statement("rolling back a probe"))?;
            tried.map(drop)
        })
    }

    fn save<'a>(&'a mut self, checkpoint: &'a Checkpoint, progress: &'a Progress) -> Answer<'a, ()> {
        Box::pin(checkpoint.advance(&self.client, progress))
    }

    fn forgotten(&mut self) -> Answer<'_, Forgotten> {
        Box::pin(async move {
            let reading = LoaderError::sql("reading the list of erased people");
            forgotten::read(&self.client).await.map_err(reading)
        })
    }
}

/// Locks floor and erasures until the transaction ends.
///
/// # Errors
/// [`LoaderError::Moved`] when they have changed: the batch may hold data that must not be written.
async fn hold(tx: &Transaction<'_>, known: Option<WriteGuard>) -> Result<(), LoaderError> {
    let Some(known) = known else { return Ok(()) };
    let holding = LoaderError::sql("locking the floor and the list of erased people");
    let guard = write_guard::hold(tx).await.map_err(holding)?;
    if guard == known {
        Ok(())
    } else {
        Err(LoaderError::Moved { guard })
    }
}
