//! The writer beside a warehouse in memory: what it does about each failure, and that no row is lost or written twice.

use std::collections::BTreeSet;
use std::time::Duration;

use pulseline_runtime::retry::{Class, Classify};
use pulseline_schemas::Stream;
use pulseline_sql::write_guard::WriteGuard;
use pulseline_tombstones::Key;
use uuid::Uuid;

use super::fake::{Call, Fake, Fault, REFUSED, SOURCE, failed, origin, progress, upload};
use super::*;
use crate::account::AccountKind;
use crate::backfill::progress::Mark;
use crate::document::{Cell, DAY_MILLIS, MappedEntry, Rows, UserRow};
use crate::map::Mapped;

fn batch(uploads: impl IntoIterator<Item = Mapped>) -> Batch {
    let mut batch = Batch::default();
    for (upload, events) in uploads.into_iter().zip(1..) {
        batch.push(upload, 100, None);
        batch.progress = progress(events);
    }
    batch
}

fn write(direct: usize, merge: usize) -> Call {
    Call::Write {
        direct,
        merge,
        unpacks: false,
    }
}

fn values(fake: &Fake) -> Vec<(i64, i32)> {
    let state = fake.state();
    state.readings.iter().map(|(key, row)| (key.1, row.1)).collect()
}

fn kinds(fake: &Fake) -> Vec<(i64, i64, AccountKind)> {
    let of = |account: &crate::account::Account| (account.from, account.to, account.kind);
    fake.state().accounts.iter().map(of).collect()
}

#[tokio::test]
async fn the_scripted_server_fails_as_the_driver_tells_it() {
    for (sqlstate, class) in [
        ("57P01", Class::Transient),
        ("22003", Class::Definite),
        ("XX000", Class::Fatal),
    ] {
        let error = failed(Some(sqlstate)).await;
        assert_eq!((error.sqlstate(), error.class()), (Some(sqlstate), class));
    }
    let error = failed(None).await;
    assert_eq!((error.sqlstate(), error.class()), (None, Class::Transient));
}

#[tokio::test]
async fn d_3_a_conflict_is_retried_and_each_row_is_written_once() {
    let fake = Fake::default();
    let (mut writer, _) = fake.open(1).unwrap();
    fake.script([Fault::Reject("40P01"), Fault::Reject("40001")]);
    let mut first = batch([upload(0, 1, &[(10, 1), (20, 2)])]);
    assert_eq!(writer.write(&mut first).await.unwrap(), 2);
    assert_eq!(fake.take_calls(), [write(2, 0); 3]);
    assert_eq!(values(&fake), [(10, 1), (20, 2)]);
    assert_eq!(kinds(&fake), [(0, 1, AccountKind::Loaded)]);
}

#[tokio::test]
async fn d_5_rows_that_meet_existing_keys_are_merged_and_the_high_watermarks_are_read_again() {
    let fake = Fake::default();
    let (mut writer, _) = fake.open(1).unwrap();
    writer
        .write(&mut batch([upload(0, 1, &[(10, 1)])]))
        .await
        .unwrap();
    // Another session loads a reading after the high watermark.
    let mut other = fake.writer(SOURCE, Purpose::LoadOffsets);
    other.write(&mut batch([upload(9, 1, &[(20, 9)])])).await.unwrap();
    fake.take_calls();
    let mut met = batch([upload(1, 1, &[(20, 1), (30, 3)])]);
    assert_eq!(writer.write(&mut met).await.unwrap(), 1);
    assert_eq!(fake.take_calls(), [write(2, 0), write(0, 2)]);
    // The newer version stays.
    assert_eq!(values(&fake), [(10, 1), (20, 9), (30, 3)]);
    writer
        .write(&mut batch([upload(2, 1, &[(30, 4), (40, 5)])]))
        .await
        .unwrap();
    assert_eq!(fake.take_calls(), [write(1, 1)]);
    assert_eq!(values(&fake)[2..], [(30, 4), (40, 5)]);
    // Merged rows cannot meet keys: an error that says so stands.
    fake.script([Fault::Reject("23505"), Fault::Reject("23505")]);
    let error = writer
        .write(&mut batch([upload(3, 1, &[(50, 6)])]))
        .await
        .unwrap_err();
    assert_eq!(error.sqlstate(), Some("23505"));
    assert_eq!(fake.take_calls(), [write(1, 0), write(0, 1)]);
}

#[tokio::test]
async fn p_12_a_raised_floor_makes_dead_letters_before_anything_is_written() {
    let fake = Fake::default();
    let (mut writer, _) = fake.open(1).unwrap();
    fake.script([Fault::Guard(WriteGuard {
        retention_floor: Some(1),
        erasure_revision: 0,
    })]);
    let early = |offset| upload(offset, 1, &[(offset, 1), (DAY_MILLIS + offset, 2)]);
    writer.write(&mut batch([early(0)])).await.unwrap();
    assert_eq!(fake.take_calls(), [write(2, 0), write(1, 0)]);
    assert_eq!(values(&fake), [(DAY_MILLIS, 2)]);
    let dead_letters = fake.state().dead_letters.clone();
    assert!(dead_letters.iter().eq(["mongo:steps/0#0"]));
    assert_eq!(fake.state().collection, dead_letters);
    // From then on the writer knows it.
    writer.write(&mut batch([early(1)])).await.unwrap();
    assert_eq!(fake.take_calls(), [write(1, 0)]);
    // What is reloaded was loaded before, and deleted.
    let mark = Mark::new(Stream::Steps, None, 0..9);
    let mut beside = fake.writer(SOURCE, Purpose::Backfill(mark));
    beside.write(&mut batch([early(2)])).await.unwrap();
    assert_eq!(fake.state().dead_letters.len(), 2);
    assert_eq!(values(&fake).len(), 3);
    assert_eq!(kinds(&fake).len(), 2);
}

#[tokio::test]
async fn e_1_people_erased_meanwhile_are_left_out_and_without_the_key_of_their_hashes_nothing_is_loaded() {
    let fake = Fake::default();
    let guard = Fault::Guard(WriteGuard {
        retention_floor: None,
        erasure_revision: 1,
    });
    let key = Key::random();
    fake.state().forgotten.hashes = vec![key.hash(Uuid::from_u128(1)).to_vec()];
    let both = || batch([upload(0, 1, &[(10, 1)]), upload(1, 2, &[(10, 2)])]);
    let (mut writer, _) = fake.open(1).unwrap();
    fake.script([guard]);
    let error = writer.write(&mut both()).await.unwrap_err();
    assert!(matches!(error, LoaderError::NoErasureKey), "{error}");
    assert!(values(&fake).is_empty());
    fake.state().key = Some(key);
    let (mut writer, _) = fake.open(1).unwrap();
    writer.write(&mut both()).await.unwrap();
    assert_eq!(values(&fake), [(10, 2)]);
    assert_eq!(
        kinds(&fake),
        [(1, 2, AccountKind::Loaded), (0, 1, AccountKind::Erased)]
    );
}

#[tokio::test]
async fn packed_rows_are_decompressed_without_a_limit_for_one_batch() {
    let fake = Fake::default();
    let (mut writer, _) = fake.open(1).unwrap();
    writer
        .write(&mut batch([upload(0, 1, &[(10, 1), (20, 1)])]))
        .await
        .unwrap();
    fake.state().is_packed = true;
    fake.take_calls();
    let unpacking = Call::Write {
        direct: 0,
        merge: 1,
        unpacks: true,
    };
    for offset in 1..3 {
        writer
            .write(&mut batch([upload(offset, 1, &[(10, 5)])]))
            .await
            .unwrap();
        assert_eq!(fake.take_calls(), [write(0, 1), unpacking]);
    }
    fake.script([Fault::Reject("53400"), Fault::Reject("53400")]);
    let refused = writer.write(&mut batch([upload(3, 1, &[(10, 6)])])).await;
    assert_eq!(refused.unwrap_err().sqlstate(), Some("53400"));
}

#[tokio::test]
async fn d_3_a_refused_reading_is_a_dead_letter_in_both_stores_and_the_others_are_written() {
    let fake = Fake::default();
    let (mut writer, _) = fake.open(1).unwrap();
    let readings = [(10, 1), (20, REFUSED), (30, 3), (40, 4), (50, REFUSED)];
    // The second fault meets the first probe.
    fake.script([Fault::Hold(Duration::ZERO), Fault::Reject("40P01")]);
    let mut mixed = batch([upload(0, 1, &readings), upload(1, 2, &[(10, REFUSED)])]);
    assert_eq!(writer.write(&mut mixed).await.unwrap(), 3);
    let calls = fake.take_calls();
    assert_eq!(calls[..3], [write(6, 0), Call::Probe(6), Call::Probe(6)]);
    assert_eq!(calls.last(), Some(&write(3, 0)));
    assert_eq!(values(&fake), [(10, 1), (30, 3), (40, 4)]);
    let wanted = ["mongo:steps/0#1", "mongo:steps/0#4", "mongo:steps/1#0"].map(str::to_owned);
    let state = fake.state();
    assert_eq!(state.dead_letters, BTreeSet::from(wanted));
    assert_eq!(state.collection, state.dead_letters);
    // The uploads are loaded: only readings are missing.
    assert_eq!(state.accounts.len(), 1);
    assert_eq!((state.accounts[0].from, state.accounts[0].to), (0, 2));
    assert_eq!(state.accounts[0].kind, AccountKind::Loaded);
}

#[tokio::test]
async fn d_4_a_refused_session_or_profile_is_a_dead_letter_and_its_offset_is_dead() {
    let fake = Fake::default();
    let (mut writer, _) = fake.open(1).unwrap();
    let entry = |offset: i64, value| MappedEntry {
        device_id: Uuid::nil(),
        event_id: Uuid::nil(),
        synced_at: 0,
        item: -1,
        cells: vec![Cell::Int4(value)],
        children: Vec::new(),
        origin: origin(offset),
    };
    let user = UserRow {
        user_id: Uuid::nil(),
        event_id: Uuid::nil(),
        synced_at: 0,
        created_at: 0,
        email: None,
        date_of_birth: None,
        gender: None,
        height_cm: Some(-1),
        max_heart_rate: None,
        zone: None,
        extra: None,
        devices: Vec::new(),
        origin: origin(2),
    };
    let rows = [
        Rows::Entries(vec![entry(0, 1)]),
        Rows::Entries(vec![entry(1, REFUSED)]),
        Rows::User(Box::new(user)),
    ];
    let mapped = (0..).zip(rows).map(|(offset, rows)| Mapped {
        rows,
        account: origin(offset).account(AccountKind::Loaded),
        dead_letters: Vec::new(),
    });
    writer.write(&mut batch(mapped)).await.unwrap();
    assert_eq!(fake.state().entries, 1);
    assert_eq!(fake.state().dead_letters.len(), 2);
    assert_eq!(
        kinds(&fake),
        [(0, 1, AccountKind::Loaded), (1, 3, AccountKind::Dead)]
    );
}

#[tokio::test]
async fn d_3_an_error_about_a_value_that_is_in_no_row_stands() {
    let fake = Fake::default();
    let (mut writer, _) = fake.open(1).unwrap();
    fake.script([Fault::Reject("22P02")]);
    let error = writer
        .write(&mut batch([upload(0, 1, &[(10, 1)])]))
        .await
        .unwrap_err();
    assert_eq!(error.sqlstate(), Some("22P02"));
    assert_eq!(fake.take_calls(), [write(1, 0), Call::Probe(1)]);
    assert!(values(&fake).is_empty() && kinds(&fake).is_empty());
}

#[tokio::test]
async fn d_3_an_outage_ends_the_writer_at_once_even_during_a_search() {
    for (faults, calls) in [
        (vec![Fault::Reject("57P01")], 1),
        (vec![Fault::Disconnect], 1),
        (vec![Fault::Hold(Duration::ZERO), Fault::Disconnect], 2),
    ] {
        let fake = Fake::default();
        let (mut writer, _) = fake.open(1).unwrap();
        fake.script(faults);
        let error = writer.write(&mut batch([upload(0, 1, &[(10, REFUSED)])])).await;
        assert_eq!(error.unwrap_err().class(), Class::Transient);
        assert_eq!(fake.take_calls().len(), calls);
        assert!(kinds(&fake).is_empty() && fake.state().seq == 0);
    }
}

#[tokio::test]
async fn d_2_a_superseded_writer_writes_nothing_and_cannot_be_opened_again() {
    let fake = Fake::default();
    let (mut writer, _) = fake.open(1).unwrap();
    writer
        .write(&mut batch([upload(0, 1, &[(10, 1)])]))
        .await
        .unwrap();
    fake.script([Fault::Supersede]);
    let error = writer
        .write(&mut batch([upload(1, 1, &[(20, 2)])]))
        .await
        .unwrap_err();
    assert!(
        matches!(error, LoaderError::Fenced { epoch: 1, seq: 1, .. }),
        "{error}"
    );
    // It opens all again, to see whether it still owns the checkpoint.
    assert_eq!(error.class(), Class::Transient);
    assert_eq!(values(&fake), [(10, 1)]);
    assert!(matches!(
        writer.save(&progress(2)).await,
        Err(LoaderError::Fenced { .. })
    ));
    assert!(fake.open(1).err().unwrap().is_superseded());
    let (mut next, position) = fake.open(2).unwrap();
    assert_eq!(position, progress(1).position);
    next.write(&mut batch([upload(1, 1, &[(20, 2)])])).await.unwrap();
    assert_eq!(values(&fake), [(10, 1), (20, 2)]);
}

#[tokio::test]
async fn p_9_documents_of_dead_letters_are_merged_and_their_offsets_are_revived() {
    let fake = Fake::default();
    let mut writer = fake.writer(SOURCE, Purpose::ReplayDeadLetter);
    writer
        .write(&mut batch([upload(0, 1, &[(10, 1)])]))
        .await
        .unwrap();
    assert_eq!(fake.take_calls(), [write(0, 1)]);
    assert_eq!(kinds(&fake), [(0, 1, AccountKind::Revived)]);
    writer.save(&progress(1)).await.unwrap();
    assert!(fake.take_calls().is_empty() && fake.state().positions.is_empty());
}
