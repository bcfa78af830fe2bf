//! One bad row fails a whole COPY: it is found by halving, and becomes a dead letter; the rest goes on.

use std::ops::Range;

use bson::DateTime;
use bson::raw::{RawDocumentBuf, cstr};
use pulseline_runtime::clock::system_utc_millis;

use super::transaction::Pieces;
use super::{Plan, Writer};
use crate::batch::Batch;
use crate::error::LoaderError;
use crate::letter::Letter;
use crate::map::{Origin, Reading, ReadingsUpload, Refusal, SleepRow, UserRow};
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
            let Some(detail) = self.probe(&plan, &batch.readings, &[], &[]).await? else {
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
                Some(payload(upload, &reading)),
            ));
        }
        Ok(())
    }

    async fn bisect_whole(&mut self, batch: &mut Batch) -> Result<(), LoaderError> {
        for sleep in std::mem::take(&mut batch.sleeps) {
            match self.probe(&Plan::none(), &[], &[&sleep], &[]).await? {
                None => batch.sleeps.push(sleep),
                Some(detail) => refuse(batch, &sleep.origin, detail),
            }
        }
        for user in std::mem::take(&mut batch.users) {
            match self.probe(&Plan::none(), &[], &[], &[&user]).await? {
                None => batch.users.push(user),
                Some(detail) => refuse(batch, &user.origin, detail),
            }
        }
        Ok(())
    }

    /// Tries rows and takes them back; what the warehouse says when it refuses their values.
    async fn probe(
        &mut self,
        plan: &Plan,
        uploads: &[ReadingsUpload],
        sleeps: &[&SleepRow],
        users: &[&UserRow],
    ) -> Result<Option<String>, LoaderError> {
        let pieces = Pieces::encode(self.table, plan, uploads, sleeps, users);
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

impl Plan {
    fn none() -> Self {
        Self {
            direct: Vec::new(),
            merge: Vec::new(),
        }
    }
}

fn refuse(batch: &mut Batch, origin: &Origin, detail: String) {
    batch.mark_dead(origin);
    batch
        .letters
        .push(letter(origin, -1, detail, origin.document.clone()));
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

fn payload(upload: &ReadingsUpload, reading: &Reading) -> Vec<u8> {
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("device_id"), upload.device_id.hyphenated().to_string());
    document.append(cstr!("ts"), DateTime::from_millis(reading.local_ts));
    document.append(cstr!("value"), reading.value);
    document.append(cstr!("confidence"), i32::from(reading.confidence));
    document.into_bytes()
}
