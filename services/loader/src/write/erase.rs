//! Keeps data of erased people out: it is not loaded, and its offsets are accounted for as erased (E-1).

use std::collections::{BTreeSet, HashSet};
use std::mem::take;
use std::sync::Arc;

use pulseline_schemas::ownership::is_dead_letter_of;
use pulseline_schemas::{Position, Stream, UtcMillis};
use pulseline_tombstones::{Days, Tombstones, hold_day};
use uuid::Uuid;

use crate::account::AccountKind;
use crate::batch::Batch;
use crate::dead_letter::{DeadLetter, Stage};
use crate::document::{MappedEntry, Origin, ReadingsUpload, SourceCollection, UserRow, day_of};
use crate::map::{TableMapping, table_mapping};

/// What was removed from a batch.
#[derive(Debug, Default)]
pub(crate) struct Erased {
    /// Uploads and dead letters.
    pub(super) documents: usize,
    /// Ids of dead letters that MongoDB has, or may have.
    pub(super) dead_letters: Vec<String>,
    /// Offsets at which only one of these dead letters is stored.
    pub(super) offsets: Vec<Position>,
}

/// Removes all data of erased people from a batch.
pub(super) fn erase(batch: &mut Batch, tombstones: &Tombstones) -> Erased {
    let mut erased = Erased::default();
    if tombstones.is_empty() {
        return erased;
    }
    let mut gone: Vec<Arc<Origin>> = Vec::new();
    batch.readings.retain_mut(|upload| {
        let is_erased =
            tombstones.hold(upload.device_id) || shorten(upload, tombstones.days_of(upload.device_id));
        gone.extend(is_erased.then(|| Arc::clone(&upload.origin)));
        !is_erased
    });
    batch.entries.retain(|entry| {
        let is_erased = tombstones.hold(entry.device_id)
            || day_of_owner(entry).is_some_and(|day| hold_day(tombstones.days_of(entry.device_id), day));
        gone.extend(is_erased.then(|| Arc::clone(&entry.origin)));
        !is_erased
    });
    // What is left of a document was loaded: its offset is no erased one.
    let left: HashSet<*const Origin> = batch
        .entries
        .iter()
        .map(|entry| Arc::as_ptr(&entry.origin))
        .collect();
    gone.retain(|origin| !left.contains(&Arc::as_ptr(origin)));
    batch.users.retain(|user| {
        let is_erased = tombstones.hold(user.user_id);
        gone.extend(is_erased.then(|| Arc::clone(&user.origin)));
        !is_erased
    });
    for user in &mut batch.users {
        user.devices.retain(|device| !tombstones.hold(*device));
    }
    // The rows of one document share an origin, and are adjacent.
    gone.dedup_by(|a, b| Arc::ptr_eq(a, b));
    erased.documents = gone.len();
    let mut positions: Vec<Position> = gone.iter().filter_map(|origin| origin.position.clone()).collect();
    let is_of_erased = |dead_letter: &DeadLetter| is_of(dead_letter, tombstones);
    let (dropped, kept): (Vec<_>, Vec<_>) = take(&mut batch.dead_letters).into_iter().partition(is_of_erased);
    batch.dead_letters = kept;
    for dead_letter in dropped {
        erased.documents += 1;
        erased.dead_letters.push(dead_letter.id());
        if dead_letter.holds_offset() {
            erased.offsets.extend(dead_letter.position.clone());
        }
        positions.extend(dead_letter.position);
    }
    for position in &positions {
        batch.mark(position, AccountKind::Erased);
    }
    erased
}

/// Removes readings of erased days from an upload; true when none is left of them (P17).
fn shorten(upload: &mut ReadingsUpload, days: &[Days]) -> bool {
    if days.is_empty() {
        return false;
    }
    let before = upload.readings.len();
    upload
        .readings
        .retain(|reading| !hold_day(days, day_of(reading.local_ts)));
    upload.readings.is_empty() && before > 0
}

/// The day that says who of the device's owners a row belongs to.
fn day_of_owner(entry: &MappedEntry) -> Option<i32> {
    let SourceCollection::Stream(stream) = entry.origin.source else {
        return None;
    };
    let TableMapping::Entries(entries) = table_mapping(stream) else {
        return None;
    };
    let column = stream.kind().day_column()?;
    let place = entries.columns.iter().position(|other| other.name == column)?;
    entry.cells.get(place)?.day()
}

/// The erased days of the devices that profiles name: they belong to no person (P17).
pub(super) fn days_of_devices(users: &[UserRow], tombstones: &Tombstones) -> Vec<(Uuid, Days)> {
    let devices: BTreeSet<Uuid> = users
        .iter()
        .flat_map(|user| user.devices.iter().copied())
        .collect();
    let days = |device| tombstones.days_of(device).iter().cloned();
    devices
        .into_iter()
        .flat_map(|device| days(device).map(move |days| (device, days)))
        .collect()
}

/// A dead letter's key names its person. Where another program wrote it, or it has no key, its bytes are searched too,
/// as the eraser does.
fn is_of(dead_letter: &DeadLetter, tombstones: &Tombstones) -> bool {
    let key = dead_letter.message_key.as_deref();
    if key.is_some_and(|key| tombstones.hold_key(key) || is_of_days(dead_letter, tombstones.days_of_key(key)))
    {
        return true;
    }
    let is_foreign = dead_letter.stage == Stage::Given || key.is_none();
    let bytes = [key, dead_letter.payload.as_deref()];
    is_foreign
        && bytes
            .into_iter()
            .flatten()
            .any(|bytes| tombstones.are_named_in(bytes))
}

/// True when a dead letter of a device that was passed on is of erased days (P17).
fn is_of_days(dead_letter: &DeadLetter, days: &[Days]) -> bool {
    let stream = dead_letter.stream.as_deref().and_then(Stream::from_name);
    let made_at = UtcMillis(dead_letter.created_at);
    !days.is_empty()
        && is_dead_letter_of(stream, dead_letter.payload.as_deref(), made_at, |day| {
            hold_day(days, day)
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulseline_schemas::Stream;
    use pulseline_tombstones::Key;

    use super::*;
    use crate::account::Account;
    use crate::document::{Cell, DAY_MILLIS, Reading, ReadingsUpload, Refusal, SourceCollection};

    fn push(batch: &mut Batch, device: u128, offset: i64, is_dead: bool) {
        let position = Position {
            topic: "fitbit.steps".into(),
            incarnation: 0,
            partition: 0,
            offset,
        };
        let device_id = Uuid::from_u128(device);
        let origin = Origin {
            source: SourceCollection::Stream(Stream::Steps),
            id: offset.to_string(),
            position: Some(position.clone()),
            key: Some(device_id.to_string().into_bytes()),
            document: None,
        };
        if is_dead {
            batch.accounts.push(Account::one(&position, AccountKind::Dead));
            let refusal = Refusal::unmappable("because");
            batch
                .dead_letters
                .push(DeadLetter::about(&origin, -1, &refusal, None, 0));
            return;
        }
        batch.accounts.push(Account::one(&position, AccountKind::Loaded));
        batch.readings.push(ReadingsUpload {
            device_id,
            event_id: Uuid::nil(),
            synced_at: 0,
            utc_offset_minutes: 0,
            readings: Vec::new(),
            origin: Arc::new(origin),
        });
    }

    proptest! {
        #[test]
        fn e_1_nothing_of_the_erased_is_written_and_each_of_their_offsets_is_erased(
            uploads in prop::collection::vec((0..4_u128, any::<bool>()), 0..12),
            erased in prop::collection::hash_set(0..4_u128, 0..3)
        ) {
            let key = Key::random();
            let hashes = erased.iter().map(|id| key.hash(Uuid::from_u128(*id))).collect();
            let mut batch = Batch::default();
            for (offset, (device, is_dead)) in (0..).zip(&uploads) {
                push(&mut batch, *device, offset, *is_dead);
            }
            let found = erase(&mut batch, &Tombstones::new(key, hashes));
            let gone = uploads.iter().filter(|(device, _)| erased.contains(device)).count();
            prop_assert_eq!(found.documents, gone);
            prop_assert_eq!(batch.readings.len() + batch.dead_letters.len(), uploads.len() - gone);
            for (account, (device, is_dead)) in batch.accounts.iter().zip(&uploads) {
                let kind = match (erased.contains(device), is_dead) {
                    (true, _) => AccountKind::Erased,
                    (false, true) => AccountKind::Dead,
                    (false, false) => AccountKind::Loaded,
                };
                prop_assert_eq!(account.kind, kind);
            }
        }
    }

    #[test]
    fn e_1_a_dead_letter_with_a_foreign_key_is_recognised_by_its_bytes_and_leaves_a_receipt() {
        let (key, device) = (Key::random(), Uuid::from_u128(7));
        let tombstones = Tombstones::new(key.clone(), [key.hash(device)].into());
        let position = Position {
            topic: "fitbit.steps".into(),
            incarnation: 0,
            partition: 0,
            offset: 5,
        };
        let dead_letter = |origin: &str, payload: String| {
            let about = Origin {
                source: SourceCollection::DeadLetters,
                id: String::new(),
                position: Some(position.clone()),
                key: Some(b"some gateway".to_vec()),
                document: None,
            };
            let refusal = Refusal::unmappable("because");
            DeadLetter {
                origin: origin.into(),
                stage: Stage::Given,
                ..DeadLetter::about(&about, -1, &refusal, Some(payload.into_bytes()), 0)
            }
        };
        let conflicting = dead_letter("kafka:fitbit.steps/0/0/5", format!("\0\u{1}H{device}\u{2}"));
        let others = dead_letter("kafka:fitbit.steps/0/0/6", Uuid::from_u128(8).to_string());
        let mut batch = Batch::default();
        batch.accounts.push(Account::one(&position, AccountKind::Dead));
        batch.dead_letters.extend([conflicting.clone(), others.clone()]);
        let erased = erase(&mut batch, &tombstones);
        assert_eq!(erased.dead_letters, [conflicting.id()]);
        assert_eq!(erased.offsets, [position]);
        assert_eq!(batch.dead_letters, [others]);
        assert_eq!(batch.accounts[0].kind, AccountKind::Erased);
    }

    #[test]
    fn p_17_of_a_device_that_was_passed_on_exactly_the_erased_days_stay_out() {
        let (key, device) = (Key::random(), Uuid::from_u128(7));
        let days = [(key.hash(device), i32::MIN..5)];
        let tombstones = Tombstones::new(key, HashSet::new()).with_days(days);
        let mut batch = Batch::default();
        for (offset, of_upload) in [vec![4], vec![4, 5], vec![5]].into_iter().enumerate() {
            push(&mut batch, 7, offset as i64, false);
            let reading = |day: &i64| Reading {
                local_ts: day * DAY_MILLIS,
                item: 0,
                value: 1,
                confidence: None,
            };
            batch.readings[offset].readings = of_upload.iter().map(reading).collect();
        }
        let erased = erase(&mut batch, &tombstones);
        assert_eq!(erased.documents, 1);
        let kept = batch.readings.iter().flat_map(|upload| &upload.readings);
        assert!(kept.clone().count() == 2 && kept.clone().all(|reading| reading.local_ts == 5 * DAY_MILLIS));
        let kinds: Vec<_> = batch.accounts.iter().map(|account| account.kind).collect();
        assert_eq!(
            kinds,
            [AccountKind::Erased, AccountKind::Loaded, AccountKind::Loaded]
        );
        let users = [[7, 8], [8, 9]].map(|devices| profile(&devices));
        assert_eq!(days_of_devices(&users, &tombstones), [(device, i32::MIN..5)]);
    }

    #[test]
    fn p_17_a_sleep_belongs_to_its_date_and_a_document_of_several_days_is_loaded_where_one_is_left() {
        let (key, device) = (Key::random(), Uuid::from_u128(7));
        let tombstones = Tombstones::new(key.clone(), HashSet::new()).with_days([(key.hash(device), 4..5)]);
        let entry = |stream: Stream, day, of: &Arc<Origin>| MappedEntry {
            device_id: device,
            event_id: Uuid::nil(),
            synced_at: 0,
            item: 0,
            cells: cells(stream, day),
            children: Vec::new(),
            origin: Arc::clone(of),
        };
        for (stream, days, kept) in [
            (Stream::Sleeps, [4, 5].as_slice(), 1),
            (Stream::RestingHeartRates, &[3, 4], 1),
            (Stream::ActivityMinutes, &[4, 4], 0),
        ] {
            let origin = Arc::new(Origin {
                source: SourceCollection::Stream(stream),
                id: String::new(),
                position: None,
                key: None,
                document: None,
            });
            let mut batch = Batch::default();
            batch.entries = days.iter().map(|day| entry(stream, *day, &origin)).collect();
            let erased = erase(&mut batch, &tombstones);
            assert_eq!(
                (batch.entries.len(), erased.documents),
                (kept, usize::from(kept == 0))
            );
        }
    }

    /// Cells of a row, of which the one that says whose it is holds this day, and every other one another day.
    fn cells(stream: Stream, day: i32) -> Vec<Cell> {
        let TableMapping::Entries(entries) = table_mapping(stream) else {
            panic!("{stream} has no entries")
        };
        let own = stream.kind().day_column();
        let cell = |name| Cell::Day(if Some(name) == own { day } else { 9 });
        entries.columns.iter().map(|column| cell(column.name)).collect()
    }

    fn profile(devices: &[u128]) -> UserRow {
        let origin = Origin {
            source: SourceCollection::Stream(Stream::Users),
            id: String::new(),
            position: None,
            key: None,
            document: None,
        };
        UserRow {
            user_id: Uuid::nil(),
            event_id: Uuid::nil(),
            synced_at: 0,
            created_at: 0,
            email: None,
            date_of_birth: None,
            gender: None,
            height_cm: None,
            max_heart_rate: None,
            zone: None,
            extra: None,
            devices: devices.iter().map(|device| Uuid::from_u128(*device)).collect(),
            origin: Arc::new(origin),
        }
    }
}
