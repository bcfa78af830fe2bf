//! D-5: the same rows win whatever the order of uploads, their batches, and their repetitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use pulseline_schemas::Stream;

use super::*;
use crate::document::{Origin, Reading, SourceCollection};

type Key = (Uuid, i64, i16);
type Version = (i64, Uuid);
type Table = BTreeMap<Key, (Version, i32)>;

fn upload(device: u8, event: u8, synced_at: i64, readings: &[(i64, i32)]) -> ReadingsUpload {
    ReadingsUpload {
        device_id: Uuid::from_bytes([device; 16]),
        event_id: Uuid::from_bytes([event; 16]),
        synced_at,
        utc_offset_minutes: 60,
        readings: (0..)
            .zip(readings)
            .map(|(item, &(local_ts, value))| Reading {
                local_ts,
                item,
                value,
                confidence: Some(1),
            })
            .collect(),
        origin: Arc::new(Origin {
            source: SourceCollection::Stream(Stream::HeartRates),
            id: String::new(),
            position: None,
            key: None,
            document: None,
        }),
    }
}

/// The table by definition: for one key the greatest (synced_at, event_id, position) wins.
fn oracle(uploads: &[ReadingsUpload]) -> Table {
    let mut best: BTreeMap<Key, (Version, u32, i32)> = BTreeMap::new();
    for upload in uploads {
        for reading in &upload.readings {
            let key = (upload.device_id, reading.local_ts, upload.utc_offset_minutes);
            let candidate = ((upload.synced_at, upload.event_id), reading.item, reading.value);
            let entry = best.entry(key).or_insert(candidate);
            if (candidate.0, candidate.1) > (entry.0, entry.1) {
                *entry = candidate;
            }
        }
    }
    best.into_iter()
        .map(|(key, (version, _, value))| (key, (version, value)))
        .collect()
}

/// The table as the two write paths produce it.
fn load(table: &mut Table, batch: &[ReadingsUpload]) {
    let newest = |device: &Uuid| table.keys().filter(|key| key.0 == *device).map(|key| key.1).max();
    let (direct, merge) = split(winners(batch), newest);
    for row in direct {
        let version = version(batch, &row);
        assert!(
            table.insert(row.key(), (version, row.value)).is_none(),
            "a direct row met another"
        );
    }
    for row in merge {
        let new = (version(batch, &row), row.value);
        let old = table.entry(row.key()).or_insert(new);
        if new.0 >= old.0 {
            *old = new;
        }
    }
}

fn version(batch: &[ReadingsUpload], row: &Row) -> Version {
    let upload = &batch[row.upload as usize];
    (upload.synced_at, upload.event_id)
}

#[test]
fn d_5_the_last_upload_wins_and_the_last_in_an_upload_wins_a_tie() {
    let batch = [
        upload(1, 2, 10, &[(100, 1), (105, 2)]),
        upload(1, 1, 10, &[(100, 9)]),
        upload(1, 1, 11, &[(105, 3), (105, 4)]),
    ];
    let rows = winners(&batch);
    let got: Vec<_> = rows.iter().map(|row| (row.local_ts, row.value)).collect();
    assert_eq!(got, [(100, 1), (105, 4)]);
}

#[test]
fn d_5_only_rows_after_the_newest_loaded_one_go_straight_in() {
    let rows = winners(&[
        upload(1, 1, 1, &[(99, 1), (100, 2), (101, 3)]),
        upload(2, 2, 1, &[(5, 4)]),
    ]);
    let (direct, merge) = split(rows, |device| {
        (*device == Uuid::from_bytes([1; 16])).then_some(100)
    });
    assert_eq!(direct.iter().map(|row| row.value).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(merge.iter().map(|row| row.value).collect::<Vec<_>>(), [1, 2]);
}

fn uploads() -> impl Strategy<Value = Vec<ReadingsUpload>> {
    let one = (
        1..3_u8,
        0..3_i64,
        prop::collection::vec((0..12_i64, 20..200_i32), 0..6),
    );
    prop::collection::vec(one, 1..12).prop_map(|given| {
        // An event id stands for one content, as in production.
        (1..)
            .zip(given)
            .map(|(event, (device, synced, readings))| upload(device, event, synced, &readings))
            .collect()
    })
}

fn copy(upload: &ReadingsUpload) -> ReadingsUpload {
    ReadingsUpload {
        readings: upload.readings.clone(),
        origin: Arc::clone(&upload.origin),
        ..*upload
    }
}

proptest! {
    #[test]
    fn d_5_any_order_any_batching_any_repetition_gives_the_same_rows(
        given in uploads(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        size in 1..6_usize,
    ) {
        // Every upload at least once, some repeatedly, in a random order.
        let mut arrivals: Vec<ReadingsUpload> = order.iter().map(|index| copy(index.get(&given))).collect();
        for (place, upload) in given.iter().enumerate() {
            let at = order.get(place).map_or(arrivals.len(), |index| index.index(arrivals.len() + 1));
            arrivals.insert(at, copy(upload));
        }
        let mut table = Table::new();
        for batch in arrivals.chunks(size) {
            load(&mut table, batch);
        }
        prop_assert_eq!(table, oracle(&given));
    }

    #[test]
    fn d_5_winners_are_distinct_and_sorted(given in uploads()) {
        let rows = winners(&given);
        prop_assert!(rows.windows(2).all(|pair| pair[0].key() < pair[1].key()));
        prop_assert_eq!(rows.len(), oracle(&given).len());
    }
}
