//! When readings are measured and when they are sent.

use std::collections::{BTreeMap, HashSet};

use pulseline_generator::{DeliveryKind, Payload, SimulateConfig, Start, plan};
use pulseline_schemas::time::{DAY_MS, MINUTE_MS};
use pulseline_schemas::{Event, Stream, UtcMillis};

use crate::{events, planned, small};

#[test]
fn late_is_an_hour_to_seven_days_after_the_window() {
    let deliveries = planned(&SimulateConfig {
        late: 0.5,
        correct: 0.0,
        broken: 0.0,
        ..small()
    });
    for planned in &deliveries {
        let Payload::Event(event) = &planned.payload else {
            continue;
        };
        let Some(upload) = event.upload() else { continue };
        let offset = match event {
            Event::Sleeps(sleep) => sleep.end_utc_offset_minutes,
            Event::Exercises(exercise) => exercise.end_utc_offset_minutes,
            _ => upload.utc_offset_minutes,
        };
        // A day's figures are sent in the morning, and a score after its sleep.
        let on_time = match event {
            Event::ActivityMinutes(_) | Event::HeartRateZones(_) | Event::RestingHeartRates(_) => 9 * 60 + 1,
            Event::SleepScores(_) => 61,
            _ => 45,
        } * MINUTE_MS;
        let delay = upload.synced_at.0 - upload.window_end.at_offset(offset).0;
        match planned.kind {
            DeliveryKind::Late => assert!(
                (60 * MINUTE_MS..=7 * DAY_MS + on_time).contains(&delay),
                "{delay}"
            ),
            DeliveryKind::OnTime => assert!((0..=on_time).contains(&delay), "{delay}"),
            _ => {}
        }
    }
}

#[test]
fn a_window_holds_at_most_180_readings_at_one_offset() {
    // The week in which clocks go back in New York.
    let deliveries = planned(&SimulateConfig {
        participants: 4,
        days: 5,
        broken: 0.0,
        ..SimulateConfig::default()
    });
    let mut offsets = HashSet::new();
    for event in events(&deliveries) {
        let Some(upload) = event.upload() else { continue };
        offsets.insert(upload.utc_offset_minutes);
        let times: Vec<_> = match event {
            Event::HeartRates(event) => {
                assert!((1..=180).contains(&event.samples.len()));
                assert!(event.samples.is_sorted_by_key(|sample| sample.ts));
                assert!(event.samples.iter().all(|sample| {
                    (30..=220).contains(&sample.bpm)
                        && sample
                            .confidence
                            .is_none_or(|confidence| (0..=3).contains(&confidence))
                }));
                event.samples.iter().map(|sample| sample.ts).collect()
            }
            Event::Steps(event) => {
                assert!((1..=17).contains(&event.samples.len()));
                event.samples.iter().map(|sample| sample.ts).collect()
            }
            Event::Distances(event) => {
                assert!((1..=16).contains(&event.samples.len()));
                event.samples.iter().map(|sample| sample.ts).collect()
            }
            Event::Calories(event) => {
                assert!((15..=16).contains(&event.samples.len()));
                event.samples.iter().map(|sample| sample.ts).collect()
            }
            _ => continue,
        };
        assert!(
            times
                .iter()
                .all(|ts| (upload.window_start..upload.window_end).contains(ts))
        );
        assert!(upload.window_end.0 - upload.window_start.0 <= 15 * MINUTE_MS);
    }
    // Oslo, New York before and after, Kathmandu.
    assert_eq!(offsets, HashSet::from([60, -240, -300, 345]));
}

#[test]
fn a_repeated_hour_stays_two_hours() {
    let config = SimulateConfig {
        participants: 2,
        from: "2019-11-03".parse().unwrap(),
        days: 1,
        ..SimulateConfig::default()
    };
    let mut by_clock: BTreeMap<_, HashSet<i32>> = BTreeMap::new();
    for event in events(&planned(&config)) {
        let Event::HeartRates(event) = event else { continue };
        for sample in &event.samples {
            by_clock
                .entry((event.upload.device_id, sample.ts))
                .or_default()
                .insert(event.upload.utc_offset_minutes);
        }
    }
    assert!(by_clock.values().filter(|offsets| offsets.len() == 2).count() > 300);
}

#[test]
fn a_start_of_now_sends_nothing_of_the_past() {
    // 2026-03-29T00:30Z: half an hour before clocks go forward in Oslo.
    let now = UtcMillis(1_774_744_200_000);
    let config = SimulateConfig {
        from: Start::Now,
        days: 3,
        window_secs: 60,
        ..small()
    };
    let deliveries: Vec<_> = plan(&config, now).unwrap().take(500).collect();
    assert!(deliveries.iter().all(|planned| planned.delivered_at >= now));
    assert_eq!(
        deliveries
            .iter()
            .filter(|planned| planned.stream == Stream::Users)
            .count(),
        3
    );
    let until = deliveries.last().unwrap().delivered_at.0;
    assert!(until - now.0 < 4 * 60 * MINUTE_MS, "short windows come at once");
}
