//! One batch, one transaction: rows, accounting, dirty days, dead letters and the position, all or nothing.

mod bisect;
mod copying;
mod dead_letters;
mod entries;
mod erase;
mod expected;
#[cfg(test)]
pub(crate) mod fake;
mod floor;
mod limits;
mod mongo;
pub(crate) mod opening;
mod ops_tables;
mod profiles;
mod purpose;
mod readings;
mod rows;
mod step;
mod timescale;
mod transaction;
mod warehouse;
mod write_guard;

use std::collections::HashMap;
use std::time::Instant;

use crate::batch::{Batch, Progress};
use crate::dead_letter::Stage;
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::high_watermarks::HighWatermarks;
use crate::metrics;
use crate::resolve::{self, Row};
use crate::resume::ResumePoint;
pub(crate) use expected::Expected;
pub(crate) use limits::{is_superseded, sessions_of};
pub(crate) use purpose::Purpose;
use rows::BatchRows;
use step::{Attempt, Failure, Step, next_step};
use warehouse::{DeadLetterStore, Warehouse, Work};
use write_guard::Known;

/// Writes the batches of one collection over one connection. After an error that it cannot handle it is
/// discarded: the next writer starts from the durable position.
pub(crate) struct Writer {
    source: SourceCollection,
    purpose: Purpose,
    warehouse: Box<dyn Warehouse>,
    dead_letters: Box<dyn DeadLetterStore>,
    high_watermarks: HighWatermarks,
    /// The loader's own dead letters, which return through their collection; none outside the loader.
    expected: Option<Expected>,
    known: Known,
}

/// The readings of a batch, resolved.
#[derive(Default)]
struct Plan {
    direct: Vec<Row>,
    merge: Vec<Row>,
}

impl Writer {
    fn new(
        source: SourceCollection,
        purpose: Purpose,
        warehouse: Box<dyn Warehouse>,
        dead_letters: Box<dyn DeadLetterStore>,
    ) -> Self {
        Self {
            source,
            purpose,
            warehouse,
            dead_letters,
            high_watermarks: HighWatermarks::new(1),
            expected: None,
            known: Known::default(),
        }
    }

    /// The same, for batch after batch: it remembers the high watermarks of so many devices, and its own dead letters.
    fn following(self, high_watermark_devices: usize, expected: &Expected) -> Self {
        Self {
            high_watermarks: HighWatermarks::new(high_watermark_devices),
            expected: Some(expected.clone()),
            ..self
        }
    }

    pub(crate) fn source(&self) -> SourceCollection {
        self.source
    }

    /// Starts a snapshot: the change stream continues from this position afterwards.
    pub(crate) fn begin_snapshot(&mut self, begins: ResumePoint) {
        if let Purpose::Follow(checkpoint) = &mut self.purpose {
            checkpoint.begin_snapshot(begins);
        }
    }

    /// Saves a position when there is nothing to write with it.
    pub(crate) async fn save(&mut self, progress: &Progress) -> Result<(), LoaderError> {
        if let Purpose::Follow(checkpoint) = &mut self.purpose {
            self.warehouse.save(checkpoint, progress).await?;
            checkpoint.committed();
        }
        Ok(())
    }

    /// Writes a batch; returns the number of rows written. It retries conflicts, merges rows whose keys exist, and makes
    /// dead letters of refused rows: [`next_step`] decides.
    pub(crate) async fn write(&mut self, batch: &mut Batch) -> Result<u64, LoaderError> {
        let began = Instant::now();
        let mut attempt = Attempt::first(&self.purpose);
        if let (SourceCollection::DeadLetters, Some(expected)) = (self.source, &self.expected) {
            expected.leave_out(&mut batch.dead_letters);
        }
        loop {
            self.leave_out(batch).await?;
            let (store, expected) = (self.dead_letters.as_ref(), self.expected.as_ref());
            dead_letters::store(self.source, store, &mut batch.dead_letters, expected).await?;
            let plan = self.plan(batch, attempt).await?;
            let error = match self.transact(batch, &plan, attempt).await {
                Ok(changed) => {
                    self.committed(batch, &plan, began);
                    return Ok(changed);
                }
                Err(error) => error,
            };
            match next_step(Failure::of(&error), attempt) {
                Step::Retry => {
                    tracing::info!(collection = self.source.name(), %error, "conflict: retrying the batch");
                }
                Step::Merge => {
                    metrics::record_fallback(self.source);
                    self.high_watermarks.clear();
                    attempt.copies = false;
                }
                Step::Unpack => attempt.unpacks = true,
                Step::Refilter(guard) => {
                    let (warehouse, store) = (self.warehouse.as_mut(), self.dead_letters.as_ref());
                    self.known.learn(guard, warehouse, store).await?;
                }
                Step::FindRefused => {
                    if !bisect::refuse(self.warehouse.as_mut(), self.source, batch).await? {
                        return Err(error);
                    }
                }
                Step::GiveUp => return Err(error),
            }
        }
    }

    /// Removes from a batch what must not be written.
    async fn leave_out(&mut self, batch: &mut Batch) -> Result<(), LoaderError> {
        if let Some(floor) = self.known.guard.retention_floor {
            match self.purpose {
                Purpose::Follow(_) | Purpose::ReplayDeadLetter | Purpose::LoadOffsets => {
                    floor::shed(batch, floor)
                }
                // They were loaded before, and deleted.
                Purpose::Backfill(_) => floor::leave_out(batch, floor),
            }
        }
        let erased = erase::erase(batch, &self.known.tombstones);
        if !erased.dead_letters.is_empty() {
            self.dead_letters.delete(&erased).await?;
        }
        metrics::record_erased(self.source, erased.documents);
        Ok(())
    }

    async fn plan(&mut self, batch: &Batch, attempt: Attempt) -> Result<Plan, LoaderError> {
        let rows = resolve::winners(&batch.readings);
        if !attempt.copies || rows.is_empty() {
            return Ok(Plan {
                direct: Vec::new(),
                merge: rows,
            });
        }
        if matches!(self.purpose, Purpose::Backfill(_)) {
            // Newer rows exist: what counts is whether the written part has any.
            let found = self.warehouse.newest_until(&resolve::ends(&rows)).await?;
            let found: HashMap<_, _> = found.into_iter().collect();
            let (direct, merge) = resolve::split(rows, |device_id| found.get(device_id).copied().flatten());
            return Ok(Plan { direct, merge });
        }
        let unseen = self.high_watermarks.unseen(&rows);
        if !unseen.is_empty() {
            for (device_id, newest) in self.warehouse.newest(&unseen).await? {
                self.high_watermarks.learn(device_id, newest);
            }
        }
        let (direct, merge) = resolve::split(rows, |device_id| self.high_watermarks.newest(device_id));
        Ok(Plan { direct, merge })
    }

    async fn transact(&mut self, batch: &Batch, plan: &Plan, attempt: Attempt) -> Result<u64, LoaderError> {
        // Receipts belong to no person.
        let is_personal = self.source != SourceCollection::Receipts;
        let erased = erase::days_of_devices(&batch.users, &self.known.tombstones);
        let work = Work {
            rows: BatchRows {
                direct: &plan.direct,
                merge: &plan.merge,
                uploads: &batch.readings,
                entries: &batch.entries,
                users: &batch.users,
                erased: &erased,
            },
            batch,
            purpose: &self.purpose,
            guard: is_personal.then_some(self.known.guard),
            unpacks: attempt.unpacks,
        };
        self.warehouse.write(work).await
    }

    fn committed(&mut self, batch: &Batch, plan: &Plan, began: Instant) {
        if let Purpose::Follow(checkpoint) = &mut self.purpose {
            checkpoint.committed();
        }
        self.high_watermarks.advance(&plan.direct);
        self.high_watermarks.advance(&plan.merge);
        let children: usize = batch.entries.iter().map(|entry| entry.children.len()).sum();
        let figures = metrics::BatchFigures {
            documents: batch.documents,
            direct: plan.direct.len(),
            merged: plan.merge.len(),
            whole: batch.entries.len() + batch.users.len() + children,
            bytes: batch.bytes,
        };
        metrics::record_batch(self.source, figures, began.elapsed());
        let own = batch
            .dead_letters
            .iter()
            .filter(|dead_letter| dead_letter.stage == Stage::Stored);
        metrics::record_dead_letters(self.source, own);
    }
}

#[cfg(test)]
mod tests;
