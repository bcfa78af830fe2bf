//! The oracle's rules, for single uploads and whole plans: which upload wins, what stays, what is refused.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its input should fail"
)]

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use pulseline_generator::{Breakage, DeliveryKind, Payload, Planned, SimulateConfig, plan};
use pulseline_schemas::{
    ActivityMinute, ActivityMinutes, Event, Exercise, Extra, HeartRate, HeartRates, LocalDay, LocalMillis,
    Step, Steps, Stream, Upload, UtcMillis,
};
use pulseline_tests::oracle::{DayKey, Dead, Oracle, ReadingKey};
use uuid::Uuid;

const DEVICE: Uuid = Uuid::from_u128(7);
/// 2019-11-02T00:00.
const MIDNIGHT: i64 = 18_202 * 86_400_000;

fn upload(id: u128, synced_after_hours: i64) -> Upload {
    Upload {
        event_id: Uuid::from_u128(id),
        device_id: DEVICE,
        synced_at: UtcMillis(MIDNIGHT + synced_after_hours * 3_600_000),
        utc_offset_minutes: 60,
        window_start: LocalMillis(MIDNIGHT),
        window_end: LocalMillis(MIDNIGHT + 900_000),
    }
}

fn sent(event: Event) -> Planned {
    Planned {
        delivered_at: event.synced_at(),
        synced_at: event.synced_at(),
        stream: event.stream(),
        key: event.key(),
        kind: DeliveryKind::OnTime,
        payload: Payload::Event(event),
    }
}

fn steps(upload: Upload, minutes: &[(i64, i32)]) -> Planned {
    let sample = |&(minute, steps): &(i64, i32)| Step {
        ts: LocalMillis(MIDNIGHT + minute * 60_000),
        steps,
    };
    sent(Event::Steps(Steps {
        upload,
        samples: minutes.iter().map(sample).collect(),
        extra: Extra::default(),
    }))
}

fn counted(oracle: &Oracle) -> HashMap<i64, i32> {
    let minute = |key: &ReadingKey| (key.local_ts.0 - MIDNIGHT) / 60_000;
    oracle
        .steps
        .iter()
        .map(|(key, row)| (minute(key), row.steps))
        .collect()
}

#[test]
fn a_later_upload_replaces_its_own_readings_and_keeps_the_rest() {
    let uploads = [
        steps(upload(1, 3), &[(0, 10), (1, 20), (2, 30)]),
        steps(upload(2, 5), &[(1, 21)]),
    ];
    let expected = HashMap::from([(0, 10), (1, 21), (2, 30)]);
    assert_eq!(counted(&Oracle::of(uploads.clone())), expected);
    assert_eq!(counted(&Oracle::of(uploads.into_iter().rev())), expected);
}

#[test]
fn of_the_same_instant_the_greater_id_wins_and_in_an_upload_the_last() {
    let uploads = [
        steps(upload(9, 3), &[(0, 1), (0, 2)]),
        steps(upload(8, 3), &[(0, 3)]),
    ];
    assert_eq!(counted(&Oracle::of(uploads.clone())), HashMap::from([(0, 2)]));
    assert_eq!(
        counted(&Oracle::of(uploads.into_iter().rev())),
        HashMap::from([(0, 2)])
    );
}

#[test]
fn a_level_that_a_later_day_lacks_stays() {
    let day = |id, hours, levels: &[(&str, i32)]| {
        let sample = |&(level, minutes): &(&str, i32)| ActivityMinute {
            local_date: LocalDay(18_202),
            level: level.to_owned(),
            minutes,
        };
        sent(Event::ActivityMinutes(ActivityMinutes {
            upload: upload(id, hours),
            samples: levels.iter().map(sample).collect(),
            extra: Extra::default(),
        }))
    };
    let oracle = Oracle::of([
        day(1, 30, &[("sedentary", 1_440)]),
        day(
            2,
            20,
            &[("sedentary", 900), ("very_active", 12), ("other", 1_501)],
        ),
    ]);
    let value = |level: &str| {
        let key = DayKey {
            stream: Stream::ActivityMinutes,
            device_id: DEVICE,
            local_date: LocalDay(18_202),
            label: level.to_owned(),
        };
        oracle.days.get(&key).map(|row| row.value)
    };
    assert_eq!(
        (value("sedentary"), value("very_active"), value("other")),
        (Some(1_440.0), Some(12.0), None)
    );
    let event_id = Uuid::from_u128(2);
    assert_eq!(
        oracle.dead,
        [(Stream::ActivityMinutes, Dead::Unmappable { event_id, item: 2 })]
    );
}

fn exercise(upload: Upload, name: &str, bpm: Option<i32>) -> Planned {
    sent(Event::Exercises(Exercise {
        upload,
        end_utc_offset_minutes: 60,
        log_id: 1,
        activity_name: name.to_owned(),
        activity_type_id: None,
        log_type: None,
        duration_ms: 900_000,
        active_duration_ms: None,
        average_heart_rate: bpm,
        calories: None,
        steps: None,
        distance: None,
        distance_unit: None,
        speed: None,
        pace: None,
        elevation_gain: None,
        has_gps: None,
        levels: Vec::new(),
        heart_rate_zones: Vec::new(),
        extra: Extra::default(),
    }))
}

#[test]
fn sessions_are_replaced_or_refused_as_a_whole() {
    let oracle = Oracle::of([
        exercise(upload(1, 4), "Walk", Some(100)),
        exercise(upload(2, 3), "Run", None),
        exercise(upload(3, 5), "Swim", Some(251)),
    ]);
    assert_eq!(oracle.exercises[&(DEVICE, 1)].activity_name, "Walk");
    assert_eq!(oracle.dead_messages[&Stream::Exercises], 1);
    assert_eq!(oracle.loaded_messages(Stream::Exercises), 2);
    let event_id = Uuid::from_u128(3);
    assert_eq!(
        oracle.dead,
        [(Stream::Exercises, Dead::Unmappable { event_id, item: -1 })]
    );
}

#[test]
fn unknown_values_are_accepted_and_impossible_ones_are_refused() {
    let sample = |seconds: i64, bpm, confidence| HeartRate {
        ts: LocalMillis(MIDNIGHT + seconds * 1_000),
        bpm,
        confidence,
    };
    let samples = vec![
        sample(0, 20, None),
        sample(5, 250, Some(3)),
        sample(10, 19, Some(1)),
        sample(15, 60, Some(4)),
        // A day and an hour after it was sent, on a clock that is an hour ahead.
        sample(3 * 3_600 + 26 * 3_600, 60, Some(1)),
    ];
    let event = Event::HeartRates(HeartRates {
        upload: upload(1, 3),
        samples,
        extra: Extra::default(),
    });
    let oracle = Oracle::of([sent(event)]);
    assert_eq!(oracle.heart_rates.len(), 2);
    let items: Vec<_> = oracle.dead.iter().map(|(_, dead)| dead).collect();
    let item = |item| Dead::Unmappable {
        event_id: Uuid::from_u128(1),
        item,
    };
    assert_eq!(items, [&item(2), &item(3), &item(4)]);
}

/// A day of two people with many mishaps.
fn eventful(seed: u64) -> Vec<Planned> {
    let config = SimulateConfig {
        participants: 2,
        days: 1,
        seed,
        late: 0.2,
        duplicate: 0.3,
        correct: 0.5,
        broken: 0.05,
        ..SimulateConfig::default()
    };
    plan(&config, UtcMillis(0)).unwrap().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_order_of_arrival_does_not_matter(seed in any::<u64>()) {
        let mut deliveries = eventful(seed);
        let forward = Oracle::of(deliveries.clone());
        deliveries.reverse();
        let backward = Oracle::of(deliveries.clone());
        deliveries.sort_by_key(|planned| (planned.key, planned.kind, planned.delivered_at.0 % 1_000));
        let shuffled = Oracle::of(deliveries);
        for other in [backward, shuffled] {
            prop_assert_eq!(&forward.heart_rates, &other.heart_rates);
            prop_assert_eq!(&forward.steps, &other.steps);
            prop_assert_eq!(&forward.sleeps, &other.sleeps);
            prop_assert_eq!(&forward.users, &other.users);
            prop_assert_eq!(&forward.duplicates, &other.duplicates);
        }
    }

    #[test]
    fn every_message_is_loaded_or_a_duplicate_or_dead(seed in any::<u64>()) {
        let deliveries = eventful(seed);
        let oracle = Oracle::of(deliveries.clone());
        let repeated = deliveries.iter().filter(|planned| planned.kind == DeliveryKind::Duplicate).count() as u64;
        prop_assert_eq!(oracle.duplicates.values().sum::<u64>(), repeated);
        for stream in Stream::ALL {
            let documents = oracle.events.get(&stream).map_or(0, HashSet::len) as u64;
            let whole = oracle.dead.iter().filter(|(of, dead)| *of == stream && matches!(dead, Dead::Unmappable { item: -1, .. })).count() as u64;
            prop_assert_eq!(oracle.loaded_messages(stream), documents - whole);
        }
    }
}

#[test]
fn an_impossible_sample_is_refused_alone_and_an_impossible_session_as_a_whole() {
    let config = SimulateConfig {
        participants: 3,
        days: 12,
        broken: 0.9,
        ..SimulateConfig::default()
    };
    let mut streams = HashSet::new();
    for planned in plan(&config, UtcMillis(0)).unwrap() {
        if planned.kind != DeliveryKind::Broken(Breakage::Unmappable) {
            continue;
        }
        let stream = planned.stream;
        let oracle = Oracle::of([planned]);
        let [(_, Dead::Unmappable { item, .. })] = oracle.dead[..] else {
            panic!("{stream}: {:?}", oracle.dead);
        };
        streams.insert(stream);
        let whole = matches!(stream, Stream::Sleeps | Stream::SleepScores | Stream::Exercises);
        assert_eq!(item == -1, whole, "{stream} {item}");
    }
    assert_eq!(
        streams.len(),
        Stream::COUNT - 1,
        "every stream but the profiles: {streams:?}"
    );
}
