//! Each quirk occurs when it is on, does not occur when it is off, and matches its description.

use std::collections::{HashMap, HashSet};

use pulseline_generator::{DeliveryKind, Payload, Planned, Quirk, Quirks, SimulateConfig};
use pulseline_schemas::{Event, LocalMillis, Sleep, Stream};

use crate::{events, planned, reading, whole};

/// Thirteen people, two of whom lack streams, over the autumn clock change in New York.
fn deliveries(quirks: Quirks) -> Vec<Planned> {
    planned(&SimulateConfig {
        participants: 13,
        from: "2019-11-01".parse().unwrap(),
        days: 4,
        window_secs: 900,
        late: 0.0,
        duplicate: 0.0,
        correct: 0.0,
        broken: 0.0,
        quirks,
        ..SimulateConfig::default()
    })
}

fn sleeps(deliveries: &[Planned]) -> impl Iterator<Item = &Sleep> {
    events(deliveries).filter_map(|event| match event {
        Event::Sleeps(sleep) => Some(sleep),
        _ => None,
    })
}

fn partial(deliveries: &[Planned], wanted: &[Stream]) -> usize {
    let partial = deliveries
        .iter()
        .filter(|planned| planned.kind == DeliveryKind::Partial);
    partial.filter(|planned| wanted.contains(&planned.stream)).count()
}

/// Readings of an upload as (wall clock, value).
fn samples(event: &Event) -> Vec<(i64, i32)> {
    match event {
        Event::HeartRates(event) => event.samples.iter().map(|s| (s.ts.0, s.bpm)).collect(),
        Event::Steps(event) => event.samples.iter().map(|s| (s.ts.0, s.steps)).collect(),
        Event::Distances(event) => event.samples.iter().map(|s| (s.ts.0, s.distance_mm)).collect(),
        Event::Calories(event) => event.samples.iter().map(|s| (s.ts.0, s.millikcal)).collect(),
        _ => Vec::new(),
    }
}

/// Uploads with a repeated reading: with the same value, or with another.
fn twice(deliveries: &[Planned], same: bool) -> usize {
    let has = |event: &&Event| {
        let mut seen: HashMap<i64, i32> = HashMap::new();
        let mut again = |(time, value)| {
            seen.insert(time, value)
                .is_some_and(|before| (before == value) == same)
        };
        samples(event).into_iter().any(&mut again)
    };
    events(deliveries).filter(has).count()
}

/// Minutes of a device, by instant, with steps and without a heart rate.
fn steps_alone(deliveries: &[Planned]) -> usize {
    let (mut measured, mut walked) = (HashSet::new(), HashMap::new());
    for event in events(deliveries) {
        let Some(upload) = event.upload() else { continue };
        let minute = |ts: i64| {
            let at = LocalMillis(ts).at_offset(upload.utc_offset_minutes);
            (upload.device_id, at.0.div_euclid(60_000))
        };
        let values = samples(event).into_iter().map(|(ts, value)| (minute(ts), value));
        match event {
            Event::HeartRates(_) => measured.extend(values.map(|(minute, _)| minute)),
            // If a minute has two values, the last one counts.
            Event::Steps(_) => walked.extend(values),
            _ => {}
        }
    }
    let walked = walked.iter().filter(|(_, steps)| **steps > 0);
    walked.filter(|(minute, _)| !measured.contains(*minute)).count()
}

/// Whole hours without a heart rate of a first device, between two of its readings.
fn gaps(deliveries: &[Planned]) -> usize {
    let first: HashSet<_> = sleeps(deliveries).map(|sleep| sleep.upload.device_id).collect();
    let mut last = HashMap::new();
    let mut count = 0;
    for event in events(deliveries) {
        // A second device is often not worn, with every set of quirks.
        let Event::HeartRates(event) = event else { continue };
        let at = event
            .upload
            .window_start
            .at_offset(event.upload.utc_offset_minutes)
            .0;
        if let Some(before) = last.insert(event.upload.device_id, at)
            && first.contains(&event.upload.device_id)
            && at - before > 90 * 60_000
        {
            count += 1;
        }
    }
    count
}

fn offsets(deliveries: &[Planned]) -> usize {
    let mut offsets: HashMap<_, HashSet<_>> = HashMap::new();
    for upload in events(deliveries).filter_map(Event::upload) {
        offsets
            .entry(upload.device_id)
            .or_default()
            .insert(upload.utc_offset_minutes);
    }
    offsets.values().filter(|offsets| offsets.len() > 1).count()
}

/// A placeholder reading that follows a pause.
fn begins_with_placeholder(event: &Event) -> bool {
    let Event::HeartRates(event) = event else {
        return false;
    };
    let mut before = i64::MIN;
    event.samples.iter().any(|sample| {
        let first = sample.ts.0.saturating_sub(before) > 60_000;
        before = sample.ts.0;
        first && sample.bpm == 70 && sample.confidence == Some(0)
    })
}

/// How many of thirteen people lack a stream of their day.
fn lacking(deliveries: &[Planned]) -> usize {
    let mut streams: HashMap<_, HashSet<String>> = HashMap::new();
    for event in events(deliveries) {
        let labels = streams.entry(event.key()).or_default();
        labels.insert(event.stream().name().to_owned());
        if let Event::ActivityMinutes(event) = event {
            labels.extend(event.samples.iter().map(|sample| sample.level.clone()));
        }
    }
    let first = streams.values().filter(|labels| labels.contains("sleeps"));
    let lacks = |labels: &&HashSet<String>| {
        !labels.contains("resting_heart_rates") || !labels.contains("lightly_active")
    };
    first.filter(lacks).count()
}

fn unknown_values(deliveries: &[Planned]) -> usize {
    let odd = |event: &&Event| match event {
        // The night of a clock change may end with such a level, but has none inside.
        Event::Sleeps(sleep) => sleep.levels.get(2).is_some_and(|level| level.level == "unknown"),
        Event::HeartRateZones(event) => event.samples.iter().any(|sample| sample.zone == "IN_CUSTOM_ZONE"),
        Event::Exercises(exercise) => exercise.activity_name == "Hover Boarding",
        _ => false,
    };
    events(deliveries).filter(odd).count()
}

/// How often a quirk occurs in the deliveries; none for quirks of files.
fn occurrences(quirk: Quirk, deliveries: &[Planned]) -> Option<usize> {
    let count = |odd: &dyn Fn(&Event) -> bool| events(deliveries).filter(|event| odd(event)).count();
    let count_sleeps = |odd: &dyn Fn(&Sleep) -> bool| sleeps(deliveries).filter(|sleep| odd(sleep)).count();
    let days = [
        Stream::ActivityMinutes,
        Stream::HeartRateZones,
        Stream::RestingHeartRates,
    ];
    Some(match quirk {
        Quirk::NumberForms | Quirk::MixedDates => return None,
        Quirk::EmptyValues => {
            count(&|event| matches!(event, Event::SleepScores(score) if score.composition_score.is_none()))
        }
        Quirk::NoConfidence => count(
            &|event| matches!(event, Event::HeartRates(event) if event.samples.iter().all(|s| s.confidence.is_none())),
        ),
        Quirk::ClockChanges => offsets(deliveries),
        Quirk::Naps => count_sleeps(&|sleep| !sleep.main_sleep),
        Quirk::GrowingSleeps => partial(deliveries, &[Stream::Sleeps]),
        Quirk::ExactDuplicates => twice(deliveries, true),
        Quirk::GrowingDays => partial(deliveries, &days),
        Quirk::MissingStreams => lacking(deliveries),
        Quirk::OddSummaries => {
            count_sleeps(&|sleep| sleep.time_in_bed != sleep.minutes_asleep + sleep.minutes_awake)
        }
        Quirk::NoShortLevels => {
            count_sleeps(&|sleep| sleep.kind == "stages" && sleep.main_sleep && sleep.short_levels.is_empty())
        }
        Quirk::OwnEfficiency => {
            count_sleeps(&|sleep| sleep.efficiency != 100 * sleep.minutes_asleep / sleep.time_in_bed)
        }
        Quirk::DurationOff => count_sleeps(&|sleep| {
            sleep.duration_ms != sleep.upload.window_end.0 - sleep.upload.window_start.0
        }),
        Quirk::Gaps => gaps(deliveries),
        Quirk::StepsWithoutHeartRate => steps_alone(deliveries),
        Quirk::UnknownKeys => count(&|event| event.extra().0.is_some()),
        Quirk::UnknownValues => unknown_values(deliveries),
        Quirk::PutOnPlaceholder => count(&begins_with_placeholder),
        Quirk::StepsTwice => twice(deliveries, false),
        Quirk::ZeroMinutes => {
            count(&|event| matches!(event, Event::Steps(event) if event.samples.iter().any(|s| s.steps == 0)))
        }
        Quirk::AbsentKeys => count(
            &|event| matches!(event, Event::Exercises(event) if event.steps.is_none() || event.has_gps.is_none()),
        ),
    })
}

/// Quirks that occur by chance even when they are off: a heart rate of 70 at rest with confidence 0, an
/// unmeasured minute, a night without short wakes. They are then far rarer.
const fn happens_anyway(quirk: Quirk) -> bool {
    matches!(
        quirk,
        Quirk::PutOnPlaceholder | Quirk::StepsWithoutHeartRate | Quirk::NoShortLevels
    )
}

#[test]
fn each_quirk_occurs_when_all_are_on_and_not_when_it_is_off() {
    let all = deliveries(Quirks::ALL);
    for quirk in Quirk::ALL {
        let Some(with) = occurrences(quirk, &all) else {
            continue;
        };
        assert!(with > 0, "{quirk:?} does not occur");
        let without = occurrences(quirk, &deliveries(Quirks::ALL.without(quirk))).unwrap();
        let most = if happens_anyway(quirk) { with / 2 } else { 0 };
        assert!(without <= most, "{quirk:?}: {without} without it, {with} with it");
    }
}

#[test]
fn no_quirk_occurs_when_all_are_off() {
    let none = deliveries(Quirks::NONE);
    for quirk in Quirk::ALL.into_iter().filter(|quirk| !happens_anyway(*quirk)) {
        assert!(
            occurrences(quirk, &none).is_none_or(|count| count == 0),
            "{quirk:?}"
        );
    }
    assert!(none.iter().all(|planned| planned.kind == DeliveryKind::OnTime));
}

#[test]
fn switching_a_quirk_off_changes_no_other_reading() {
    let values = |quirks| {
        let mut heart = HashMap::new();
        for event in events(&deliveries(quirks)) {
            if let Event::HeartRates(event) = event {
                let values = event.samples.iter();
                heart.extend(values.map(|sample| (reading(&event.upload, sample.ts), sample.bpm)));
            }
        }
        heart
    };
    let all = values(Quirks::ALL);
    for quirk in [
        Quirk::Naps,
        Quirk::UnknownKeys,
        Quirk::GrowingSleeps,
        Quirk::ZeroMinutes,
    ] {
        let without = values(Quirks::ALL.without(quirk));
        let same = all
            .iter()
            .filter(|(key, bpm)| without.get(key) == Some(bpm))
            .count();
        assert!(same * 100 > all.len() * 95, "{quirk:?}: {same} of {}", all.len());
    }
}

#[test]
fn a_partial_upload_is_followed_by_a_whole_one_that_wins() {
    let all = deliveries(Quirks::ALL);
    let (mut sleeps, mut days) = (HashMap::new(), HashMap::new());
    for event in whole(&all) {
        match event {
            Event::Sleeps(sleep) => {
                sleeps.insert((sleep.upload.device_id, sleep.log_id), sleep);
            }
            Event::ActivityMinutes(day) => {
                days.insert((day.upload.device_id, day.samples[0].local_date), day);
            }
            _ => {}
        }
    }
    let mut nights = 0;
    for planned in all.iter().filter(|planned| planned.kind == DeliveryKind::Partial) {
        match &planned.payload {
            Payload::Event(Event::Sleeps(part)) => {
                let whole = sleeps[&(part.upload.device_id, part.log_id)];
                assert_eq!(part.upload.window_start, whole.upload.window_start);
                assert!(
                    part.upload.window_end < whole.upload.window_end
                        && part.upload.synced_at < whole.upload.synced_at
                );
                assert!(part.minutes_asleep < whole.minutes_asleep);
                nights += 1;
            }
            Payload::Event(Event::ActivityMinutes(part)) => {
                let minutes: i32 = part.samples.iter().map(|sample| sample.minutes).sum();
                assert!(minutes < 23 * 60);
                let whole = days[&(part.upload.device_id, part.samples[0].local_date)];
                assert_eq!(part.samples.len(), whole.samples.len());
                assert!(part.upload.synced_at < whole.upload.synced_at);
            }
            _ => {}
        }
    }
    assert!(nights > 5, "{nights}");
}
