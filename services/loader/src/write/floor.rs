//! Retention: late readings of days before the floor become dead letters (P12).

use std::mem::take;

use pulseline_runtime::clock::system_utc_millis;
use pulseline_sql::periods::{DayNumber, date_of};

use crate::batch::Batch;
use crate::dead_letter::{DeadLetter, WHOLE, payload};
use crate::document::{Reading, ReadingsUpload, Refusal, day_of};

/// Removes readings of days before the floor from a batch, as dead letters.
pub(super) fn shed(batch: &mut Batch, floor: DayNumber) {
    let is_gone = |reading: &Reading| day_of(reading.local_ts) < floor;
    for mut upload in take(&mut batch.readings) {
        if !upload.readings.iter().any(is_gone) {
            batch.readings.push(upload);
            continue;
        }
        let (gone, kept): (Vec<_>, Vec<_>) = take(&mut upload.readings).into_iter().partition(is_gone);
        if kept.is_empty() {
            batch.mark_dead(&upload.origin);
            batch.dead_letters.push(dead_letter(&upload, WHOLE, &gone, floor));
            continue;
        }
        for reading in gone {
            let item = i32::try_from(reading.item).unwrap_or(i32::MAX);
            batch
                .dead_letters
                .push(dead_letter(&upload, item, &[reading], floor));
        }
        upload.readings = kept;
        batch.readings.push(upload);
    }
}

/// Drops readings of days before the floor from a batch.
pub(super) fn leave_out(batch: &mut Batch, floor: DayNumber) {
    for upload in &mut batch.readings {
        upload
            .readings
            .retain(|reading| day_of(reading.local_ts) >= floor);
    }
}

fn dead_letter(upload: &ReadingsUpload, item: i32, readings: &[Reading], floor: DayNumber) -> DeadLetter {
    let refusal = Refusal {
        reason: "beyond_retention",
        detail: format!(
            "readings of days before {} are deleted, and not loaded any more",
            date_of(floor)
        ),
    };
    DeadLetter::about(
        &upload.origin,
        item,
        &refusal,
        Some(payload(upload, readings)),
        system_utc_millis(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use pulseline_schemas::{Position, Stream};
    use uuid::Uuid;

    use super::*;
    use crate::account::{Account, AccountKind};
    use crate::document::{DAY_MILLIS, Origin, SourceCollection};

    const FLOOR: DayNumber = 18_200;

    fn upload(offset: i64, days: &[DayNumber]) -> (ReadingsUpload, Account) {
        let position = Position {
            topic: "fitbit.steps".into(),
            incarnation: 0,
            partition: 0,
            offset,
        };
        let account = Account::one(&position, AccountKind::Loaded);
        let reading = |(item, day): (u32, &DayNumber)| Reading {
            local_ts: (i64::from(*day) + 1) * DAY_MILLIS - 1,
            item,
            value: 1,
            confidence: None,
        };
        let origin = Origin {
            source: SourceCollection::Stream(Stream::Steps),
            id: offset.to_string(),
            position: Some(position),
            key: None,
            document: None,
        };
        let upload = ReadingsUpload {
            device_id: Uuid::nil(),
            event_id: Uuid::nil(),
            synced_at: 0,
            utc_offset_minutes: 0,
            readings: (0..).zip(days).map(reading).collect(),
            origin: Arc::new(origin),
        };
        (upload, account)
    }

    proptest! {
        #[test]
        fn p_12_every_reading_is_kept_or_in_a_dead_letter_and_an_upload_without_any_left_is_dead(
            uploads in prop::collection::vec(prop::collection::vec(FLOOR - 2..FLOOR + 2, 1..5), 0..6)
        ) {
            let mut batch = Batch::default();
            for (offset, days) in (0..).zip(&uploads) {
                let (upload, account) = upload(offset, days);
                batch.readings.push(upload);
                batch.accounts.push(account);
            }
            shed(&mut batch, FLOOR);
            let kept = |days: &Vec<DayNumber>| days.iter().filter(|day| **day >= FLOOR).count();
            let (mut dead_letters, mut dead) = (0, 0);
            for days in &uploads {
                let gone = days.len() - kept(days);
                dead_letters += if gone == days.len() { 1 } else { gone };
                dead += usize::from(gone == days.len());
            }
            let readings: usize = batch.readings.iter().map(|upload| upload.readings.len()).sum();
            prop_assert_eq!(readings, uploads.iter().map(kept).sum::<usize>());
            prop_assert_eq!(batch.dead_letters.len(), dead_letters);
            prop_assert!(batch.readings.iter().all(|upload| upload.readings.iter().all(|r| day_of(r.local_ts) >= FLOOR)));
            prop_assert_eq!(batch.accounts.iter().filter(|account| account.kind == AccountKind::Dead).count(), dead);
            prop_assert_eq!(batch.dead_letters.iter().filter(|dead_letter| dead_letter.item == WHOLE).count(), dead);
        }
    }
}
