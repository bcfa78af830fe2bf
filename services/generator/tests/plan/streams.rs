//! The figures of different streams agree.

use std::collections::{BTreeMap, HashMap, HashSet};

use pulseline_generator::{DeliveryKind, Payload, SimulateConfig};
use pulseline_schemas::{Event, Stream};

use crate::{events, planned, reading, whole};

/// A week of four people without mishaps.
fn calm() -> SimulateConfig {
    SimulateConfig {
        participants: 4,
        late: 0.0,
        duplicate: 0.0,
        correct: 0.0,
        broken: 0.0,
        ..SimulateConfig::default()
    }
}

#[test]
fn every_stream_occurs() {
    let streams: HashSet<_> = planned(&calm()).iter().map(|planned| planned.stream).collect();
    assert_eq!(streams.len(), Stream::COUNT);
}

#[test]
fn distances_go_with_steps_and_energy_never_stops() {
    let config = SimulateConfig {
        quirks: "none".parse().unwrap(),
        ..calm()
    };
    let (mut steps, mut distances) = (HashMap::new(), HashMap::new());
    let mut minutes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in events(&planned(&config)) {
        match event {
            Event::Steps(event) => steps.extend(
                (event.samples.iter()).map(|sample| (reading(&event.upload, sample.ts), sample.steps)),
            ),
            Event::Distances(event) => distances.extend(
                (event.samples.iter()).map(|sample| (reading(&event.upload, sample.ts), sample.distance_mm)),
            ),
            Event::Calories(event) => {
                let upload = &event.upload;
                for sample in &event.samples {
                    assert!((600..30_000).contains(&sample.millikcal), "{sample:?}");
                    let at = sample.ts.at_offset(upload.utc_offset_minutes);
                    minutes.entry(upload.device_id).or_default().push(at.0);
                }
            }
            _ => {}
        }
    }
    assert_eq!(steps.len(), distances.len());
    for (key, steps) in &steps {
        let distance = distances[key];
        assert!(
            (600 * steps..=1_150 * steps).contains(&distance),
            "{distance} for {steps}"
        );
    }
    for times in minutes.values_mut() {
        times.sort_unstable();
        assert_eq!(times.len(), 7 * 1_440);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 60_000));
    }
}

#[test]
fn the_levels_of_a_day_are_its_minutes() {
    let mut days: HashMap<_, i32> = HashMap::new();
    let (mut worn, mut unworn) = (false, false);
    for event in whole(&planned(&calm())) {
        let Event::ActivityMinutes(event) = event else {
            continue;
        };
        for sample in &event.samples {
            *days
                .entry((event.upload.device_id, sample.local_date))
                .or_default() += sample.minutes;
            worn |= sample.level == "very_active" && sample.minutes > 0;
            unworn |= sample.level == "sedentary" && sample.minutes >= 1_440;
        }
    }
    let lengths: HashSet<_> = days.values().copied().collect();
    // Clocks in New York went back in that week.
    assert_eq!(lengths, HashSet::from([1_440, 1_500]));
    assert_eq!(days.len(), 4 * 7);
    assert!(worn && (unworn || days.len() < 100));
}

#[test]
fn resting_heart_rates_are_smooth_and_some_days_have_none() {
    let config = SimulateConfig { days: 60, ..calm() };
    let mut by_device: HashMap<_, BTreeMap<i32, f64>> = HashMap::new();
    for event in events(&planned(&config)) {
        if let Event::RestingHeartRates(event) = event {
            let sample = &event.samples[0];
            by_device
                .entry(event.upload.device_id)
                .or_default()
                .insert(sample.local_date.0, sample.bpm);
            assert!(sample.error.is_some_and(|error| (5.0..=13.0).contains(&error)));
        }
    }
    for days in by_device.values() {
        assert!((40..60).contains(&days.len()), "{}", days.len());
        let values: Vec<_> = days.iter().collect();
        for pair in values.windows(2).filter(|pair| pair[1].0 - pair[0].0 == 1) {
            assert!((pair[1].1 - pair[0].1).abs() < 2.5, "{pair:?}");
        }
    }
}

#[test]
fn scores_are_of_sleeps_with_stages_and_come_after_them() {
    let deliveries = planned(&calm());
    let (mut sleeps, mut scores) = (HashMap::new(), Vec::new());
    for event in whole(&deliveries) {
        match event {
            Event::Sleeps(sleep) => {
                sleeps.insert((sleep.upload.device_id, sleep.log_id), sleep);
            }
            Event::SleepScores(score) => scores.push(score),
            _ => {}
        }
    }
    let scored = sleeps
        .values()
        .filter(|sleep| sleep.main_sleep && sleep.kind == "stages");
    assert_eq!(scored.count(), scores.len());
    for score in scores {
        let sleep = sleeps[&(score.upload.device_id, score.log_id)];
        assert_eq!(score.upload.window_end, sleep.upload.window_end);
        assert!(score.upload.synced_at > sleep.upload.synced_at);
        assert!(
            score
                .overall_score
                .is_some_and(|points| (40..=100).contains(&points))
        );
    }
}

#[test]
fn exercises_match_the_activity_of_their_minutes() {
    let config = SimulateConfig { days: 40, ..calm() };
    let mut names = HashSet::new();
    for event in whole(&planned(&config)) {
        let Event::Exercises(exercise) = event else {
            continue;
        };
        names.insert(exercise.activity_name.clone());
        let minutes: i32 = exercise.levels.iter().map(|level| level.minutes).sum();
        assert_eq!(i64::from(minutes), exercise.duration_ms / 60_000 + 1);
        if let Some(distance) = exercise.distance {
            assert_eq!(exercise.activity_name, "Run");
            assert!((0.5..12.0).contains(&distance), "{distance}");
        }
    }
    assert!(
        ["Walk", "Run", "Bike", "Hover Boarding"]
            .iter()
            .all(|name| names.contains(*name)),
        "{names:?}"
    );
}

#[test]
fn edited_exercises_keep_their_log() {
    let deliveries = planned(&SimulateConfig {
        days: 30,
        correct: 0.1,
        ..calm()
    });
    let (mut edits, mut moved) = (0, 0);
    let mut originals = HashMap::new();
    for (kind, event) in deliveries.iter().filter_map(|planned| match &planned.payload {
        Payload::Event(Event::Exercises(event)) => Some((planned.kind, event)),
        _ => None,
    }) {
        let key = (event.upload.device_id, event.log_id);
        if kind == DeliveryKind::Correction {
            edits += 1;
            let original = originals.get(&key);
            moved += usize::from(original.is_some_and(|start| *start != event.upload.window_start));
        } else {
            originals.insert(key, event.upload.window_start);
        }
    }
    assert!(
        edits > 10 && moved > 2 && moved < edits,
        "{edits} edits, {moved} moved"
    );
}
