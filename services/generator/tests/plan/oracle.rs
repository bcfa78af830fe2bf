//! The oracle's rules, upload by upload: who wins, what stays, what dies.

use std::collections::HashMap;

use pulseline_generator::{DayKey, Dead, DeliveryKind, Oracle, Payload, Planned, ReadingKey};
use pulseline_schemas::{
    ActivityMinute, ActivityMinutes, Event, Exercise, Extra, HeartRate, HeartRates, LocalDay, LocalMillis,
    Step, Steps, Stream, Upload, UtcMillis,
};
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
fn a_later_upload_replaces_what_it_carries_and_leaves_the_rest() {
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
fn sessions_are_replaced_whole_and_die_whole() {
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
fn what_is_not_known_is_no_fault_and_what_cannot_be_is() {
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
        // A day and an hour after it was sent, on a clock an hour ahead.
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
