//! One bad row fails a whole COPY: it is found by halving, and becomes a dead letter; the rest goes on.

use std::ops::Range;

use pulseline_runtime::clock::system_utc_millis;

use super::transaction::{Cargo, Pieces};
use super::{Plan, Writer};
use crate::batch::Batch;
use crate::error::LoaderError;
use crate::letter::{Letter, payload};
use crate::map::{Origin, Refusal};
use crate::resolve::{self, Row};

impl Writer {
    /// Takes the rows that the warehouse refuses out of a batch, as letters; true when there were any.
    pub(super) async fn bisect(&mut self, batch: &mut Batch) -> Result<bool, LoaderError> {
        let before = batch.letters.len();
        self.bisect_readings(batch).await?;
        self.bisect_whole(batch).await?;
        Ok(batch.letters.len() > before)
    }

    async fn bisect_readings(&mut self, batch: &mut Batch) -> Result<(), LoaderError> {
        let rows = resolve::winners(&batch.readings);
        let mut refused: Vec<(Row, String)> = Vec::new();
        let mut open: Vec<Range<usize>> = Vec::new();
        if !rows.is_empty() {
            open.push(0..rows.len());
        }
        while let Some(range) = open.pop() {
            let plan = Plan {
                direct: Vec::new(),
                merge: rows[range.clone()].to_vec(),
            };
            let cargo = Cargo {
                uploads: &batch.readings,
                ..Cargo::default()
            };
            let Some(detail) = self.probe(&plan, cargo).await? else {
                continue;
            };
            if range.len() == 1 {
                refused.push((rows[range.start], detail));
            } else {
                let middle = range.start + range.len() / 2;
                open.extend([range.start..middle, middle..range.end]);
            }
        }
        for (row, detail) in refused {
            let upload = &mut batch.readings[row.upload as usize];
            let Some(at) = upload
                .readings
                .iter()
                .position(|reading| reading.item == row.item)
            else {
                continue;
            };
            let reading = upload.readings.remove(at);
            let item = i32::try_from(row.item).unwrap_or(i32::MAX);
            batch.letters.push(letter(
                &upload.origin,
                item,
                detail,
                Some(payload(upload, &[reading])),
            ));
        }
        Ok(())
    }

    async fn bisect_whole(&mut self, batch: &mut Batch) -> Result<(), LoaderError> {
        for entry in std::mem::take(&mut batch.entries) {
            let cargo = Cargo {
                entries: std::slice::from_ref(&entry),
                ..Cargo::default()
            };
            match self.probe(&Plan::default(), cargo).await? {
                None => batch.entries.push(entry),
                Some(detail) => refuse(batch, &entry.origin, entry.item, detail),
            }
        }
        for user in std::mem::take(&mut batch.users) {
            let cargo = Cargo {
                users: std::slice::from_ref(&user),
                ..Cargo::default()
            };
            match self.probe(&Plan::default(), cargo).await? {
                None => batch.users.push(user),
                Some(detail) => refuse(batch, &user.origin, -1, detail),
            }
        }
        Ok(())
    }

    /// Tries rows and takes them back; what the warehouse says when it refuses their values.
    async fn probe(&mut self, plan: &Plan, cargo: Cargo<'_>) -> Result<Option<String>, LoaderError> {
        let pieces = Pieces::encode(&self.table, plan, cargo);
        let tx = self
            .client
            .transaction()
            .await
            .map_err(LoaderError::statement("beginning a probe"))?;
        let tried = pieces.apply(&tx).await;
        tx.rollback()
            .await
            .map_err(LoaderError::statement("taking a probe back"))?;
        match tried {
            Ok(_) => Ok(None),
            Err(error) if error.is_data_error() => Ok(Some(error.to_string())),
            Err(error) => Err(error),
        }
    }
}

/// A letter about an item; about the whole upload it also takes its offset from `loaded` to `dead`.
fn refuse(batch: &mut Batch, origin: &Origin, item: i32, detail: String) {
    if item == -1 {
        batch.mark_dead(origin);
    }
    batch
        .letters
        .push(letter(origin, item, detail, origin.document.clone()));
}

fn letter(origin: &Origin, item: i32, detail: String, payload: Option<Vec<u8>>) -> Letter {
    Letter::about(
        origin,
        item,
        &Refusal {
            reason: "refused",
            detail,
        },
        payload,
        system_utc_millis(),
    )
}
