//! Finds rows that fail a whole COPY by bisection; they become dead letters, and the rest is written.

use std::collections::HashMap;
use std::mem::take;
use std::ops::Range;

use pulseline_runtime::clock::system_utc_millis;

use super::limits;
use super::transaction::{BatchRows, Pieces};
use super::{Plan, Writer};
use crate::batch::Batch;
use crate::dead_letter::{DeadLetter, WHOLE, payload};
use crate::document::{MappedEntry, Origin, Reading, ReadingsUpload, Refusal, UserRow};
use crate::error::LoaderError;
use crate::resolve::{self, Row};

/// The rows of a batch that can be tried in part.
#[derive(Clone, Copy)]
enum Suspects<'a> {
    Readings(&'a [Row], &'a [ReadingsUpload]),
    Entries(&'a [MappedEntry]),
    Users(&'a [UserRow]),
}

impl<'a> Suspects<'a> {
    fn len(self) -> usize {
        match self {
            Self::Readings(rows, _) => rows.len(),
            Self::Entries(entries) => entries.len(),
            Self::Users(users) => users.len(),
        }
    }

    /// A part of them, as a transaction writes it.
    fn part(self, range: Range<usize>) -> (Plan, BatchRows<'a>) {
        let mut plan = Plan::default();
        let mut batch_rows = BatchRows::default();
        match self {
            Self::Readings(rows, uploads) => {
                plan.merge = rows[range].to_vec();
                batch_rows.uploads = uploads;
            }
            Self::Entries(entries) => batch_rows.entries = &entries[range],
            Self::Users(users) => batch_rows.users = &users[range],
        }
        (plan, batch_rows)
    }
}

impl Writer {
    /// Removes the rows that the server refuses from a batch, as dead letters; true when there were any.
    pub(super) async fn bisect(&mut self, batch: &mut Batch) -> Result<bool, LoaderError> {
        let before = batch.dead_letters.len();
        self.bisect_readings(batch).await?;
        let entries = take(&mut batch.entries);
        let mut refused = self.refused(Suspects::Entries(&entries)).await?;
        for (index, entry) in entries.into_iter().enumerate() {
            match refused.remove(&index) {
                None => batch.entries.push(entry),
                Some(detail) => refuse(batch, &entry.origin, entry.item, detail),
            }
        }
        let users = take(&mut batch.users);
        let mut refused = self.refused(Suspects::Users(&users)).await?;
        for (index, user) in users.into_iter().enumerate() {
            match refused.remove(&index) {
                None => batch.users.push(user),
                Some(detail) => refuse(batch, &user.origin, WHOLE, detail),
            }
        }
        Ok(batch.dead_letters.len() > before)
    }

    async fn bisect_readings(&mut self, batch: &mut Batch) -> Result<(), LoaderError> {
        let rows = resolve::winners(&batch.readings);
        let refused = self.refused(Suspects::Readings(&rows, &batch.readings)).await?;
        for (index, detail) in refused {
            let row = rows[index];
            let upload = &mut batch.readings[row.upload as usize];
            let is_it = |reading: &Reading| reading.item == row.item;
            let Some(at) = upload.readings.iter().position(is_it) else {
                continue;
            };
            let reading = upload.readings.remove(at);
            let item = i32::try_from(row.item).unwrap_or(i32::MAX);
            let payload = payload(upload, &[reading]);
            batch
                .dead_letters
                .push(dead_letter(&upload.origin, item, detail, Some(payload)));
        }
        Ok(())
    }

    /// The refused rows, and the server's message about each.
    async fn refused(&mut self, suspects: Suspects<'_>) -> Result<HashMap<usize, String>, LoaderError> {
        let mut refused = HashMap::new();
        let mut open: Vec<Range<usize>> = Vec::new();
        if suspects.len() > 0 {
            open.push(0..suspects.len());
        }
        while let Some(range) = open.pop() {
            let (plan, batch_rows) = suspects.part(range.clone());
            let Some(detail) = self.probe(&plan, batch_rows).await? else {
                continue;
            };
            if range.len() == 1 {
                refused.insert(range.start, detail);
            } else {
                let middle = range.start + range.len() / 2;
                open.extend([range.start..middle, middle..range.end]);
            }
        }
        Ok(refused)
    }

    /// Writes rows and rolls back; returns the server's message when it refuses their values.
    async fn probe(&mut self, plan: &Plan, batch_rows: BatchRows<'_>) -> Result<Option<String>, LoaderError> {
        let pieces = Pieces::encode(&self.table, plan, batch_rows);
        // Every row is merged here, and may decompress chunks that a direct copy would not touch.
        let mut limits = self.limits;
        limits.unpacking = true;
        loop {
            let tx = limits::begin(&mut self.client, "beginning a probe").await?;
            limits.set(&tx).await?;
            let tried = pieces.apply(&tx).await;
            tx.rollback()
                .await
                .map_err(LoaderError::statement("rolling back a probe"))?;
            match tried {
                Ok(_) => return Ok(None),
                Err(error) if error.is_data_error() => return Ok(Some(error.to_string())),
                Err(error) if error.is_conflict() => {
                    tracing::info!(collection = self.source.name(), %error, "conflict: retrying the probe");
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Makes a dead letter of an item; one about the whole upload also changes its offset from `loaded` to `dead`.
fn refuse(batch: &mut Batch, origin: &Origin, item: i32, detail: String) {
    if item == WHOLE {
        batch.mark_dead(origin);
    }
    let dead_letter = dead_letter(origin, item, detail, origin.document.clone());
    batch.dead_letters.push(dead_letter);
}

fn dead_letter(origin: &Origin, item: i32, detail: String, payload: Option<Vec<u8>>) -> DeadLetter {
    let refusal = Refusal {
        reason: "refused",
        detail,
    };
    DeadLetter::about(origin, item, &refusal, payload, system_utc_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suspect_is_in_one_half_or_the_other() {
        let rows: Vec<Row> = (0..5).map(|at| Row::at(uuid::Uuid::nil(), at)).collect();
        let suspects = Suspects::Readings(&rows, &[]);
        let middle = suspects.len() / 2;
        let parts = [0..middle, middle..suspects.len()].map(|range| suspects.part(range).0);
        let tried: Vec<Row> = parts.iter().flat_map(|plan| plan.merge.clone()).collect();
        assert_eq!(tried, rows);
        assert!(parts.iter().all(|plan| plan.direct.is_empty()));
        assert_eq!(Suspects::Entries(&[]).len() + Suspects::Users(&[]).len(), 0);
    }
}
