//! The plan, seen from outside: deterministic, in order, in the stated proportions, plausible.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its input should fail"
)]

use std::collections::{BTreeMap, HashMap, HashSet};

use pulseline_generator::{Breakage, Kind, Oracle, Payload, Planned, SimulateConfig, Start, plan};
use pulseline_schemas::time::{DAY_MS, MINUTE_MS};
use pulseline_schemas::{Event, Stream, UtcMillis, WriterSchema, decode, encode};
use uuid::Uuid;

pub(crate) fn planned(config: &SimulateConfig) -> Vec<Planned> {
    plan(config, UtcMillis(0)).unwrap().collect()
}

fn small() -> SimulateConfig {
    SimulateConfig {
        participants: 3,
        days: 2,
        ..SimulateConfig::default()
    }
}

pub(crate) fn events(deliveries: &[Planned]) -> impl Iterator<Item = &Event> {
    deliveries.iter().filter_map(|planned| match &planned.payload {
        Payload::Event(event) => Some(event),
        Payload::Datum(_) | Payload::Bytes(_) => None,
    })
}

#[test]
fn the_default_cohort_has_about_two_million_readings_in_the_stated_proportions() {
    let config = SimulateConfig {
        broken: 0.01,
        ..SimulateConfig::default()
    };
    let deliveries = planned(&config);
    let readings: usize = events(&deliveries).map(Event::readings).sum();
    assert!((1_800_000..2_300_000).contains(&readings), "{readings} readings");

    let mut kinds: HashMap<Kind, f64> = HashMap::new();
    for planned in &deliveries {
        *kinds.entry(planned.kind).or_default() += 1.0;
    }
    let of = |kind| kinds.get(&kind).copied().unwrap_or_default();
    let uploads = of(Kind::OnTime) + of(Kind::Late);
    let broken: f64 = [
        Breakage::Garbage,
        Breakage::Truncated,
        Breakage::UnknownSchema,
        Breakage::Unmappable,
    ]
    .map(|b| of(Kind::Broken(b)))
    .iter()
    .sum();
    let shares = [
        (of(Kind::Late), 0.05),
        (of(Kind::Duplicate), 0.02),
        (of(Kind::Correction), 0.02),
        (broken, 0.01),
    ];
    for (count, share) in shares {
        assert!(
            (count / uploads / share - 1.0).abs() < 0.25,
            "{count} of {uploads}, wanted {share}"
        );
    }
    assert!(Kind::ALL.iter().all(|kind| of(*kind) > 0.0), "{kinds:?}");

    let devices: HashSet<_> = events(&deliveries)
        .filter_map(|event| Some(event.upload()?.device_id))
        .collect();
    let users: HashSet<_> = events(&deliveries)
        .filter(|event| event.stream() == Stream::Users)
        .map(Event::key)
        .collect();
    assert_eq!((users.len(), devices.len()), (16, 20));
}

#[test]
fn everything_comes_in_the_order_of_delivery_and_never_before_it_was_sent() {
    let deliveries = planned(&SimulateConfig {
        late: 0.2,
        correct: 0.2,
        duplicate: 0.2,
        broken: 0.1,
        ..small()
    });
    assert!(deliveries.is_sorted_by_key(|planned| planned.delivered_at));
    assert!(
        deliveries
            .iter()
            .all(|planned| planned.synced_at <= planned.delivered_at)
    );
    // The profiles come first, and without mishaps every other upload is delivered as it is sent.
    assert_eq!(deliveries[0].stream, Stream::Users);
    let plain = planned(&SimulateConfig {
        late: 0.0,
        correct: 0.0,
        duplicate: 0.0,
        broken: 0.0,
        ..small()
    });
    assert!(
        plain
            .iter()
            .all(|planned| planned.kind == Kind::OnTime && planned.synced_at == planned.delivered_at)
    );
    assert!(plain.is_sorted_by_key(|planned| planned.synced_at));
}

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
        let offset = if let Event::Sleep(sleep) = event {
            sleep.end_utc_offset_minutes
        } else {
            upload.utc_offset_minutes
        };
        let delay = upload.synced_at.0 - upload.window_end.at_offset(offset).0;
        match planned.kind {
            Kind::Late => assert!(
                (60 * MINUTE_MS..=7 * DAY_MS + 45 * MINUTE_MS).contains(&delay),
                "{delay}"
            ),
            Kind::OnTime => assert!((0..=45 * MINUTE_MS).contains(&delay), "{delay}"),
            _ => {}
        }
    }
}

#[test]
fn windows_hold_their_readings_at_most_180_of_them_at_one_offset() {
    // The week in which New York's clocks go back.
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
        let times: Vec<_> =
            match event {
                Event::HeartRates(event) => {
                    assert!((1..=180).contains(&event.samples.len()));
                    assert!(event.samples.is_sorted_by_key(|sample| sample.ts));
                    assert!(event.samples.iter().all(
                        |sample| (30..=220).contains(&sample.bpm) && (0..=3).contains(&sample.confidence)
                    ));
                    event.samples.iter().map(|sample| sample.ts).collect()
                }
                Event::Steps(event) => {
                    assert!((1..=16).contains(&event.samples.len()));
                    event.samples.iter().map(|sample| sample.ts).collect()
                }
                Event::Sleep(_) | Event::User(_) => continue,
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
fn the_hour_that_happens_twice_stays_two_hours() {
    let config = SimulateConfig {
        participants: 2,
        from: "2019-11-03".parse().unwrap(),
        days: 1,
        ..SimulateConfig::default()
    };
    let oracle = Oracle::of(planned(&config));
    let mut by_clock: BTreeMap<_, HashSet<i32>> = BTreeMap::new();
    for key in oracle.heart_rates.keys() {
        by_clock
            .entry((key.device_id, key.local_ts))
            .or_default()
            .insert(key.utc_offset_minutes);
    }
    assert!(by_clock.values().filter(|offsets| offsets.len() == 2).count() > 300);
}

/// On any machine, with any version of any library: a change here means that the same seed no longer repeats a run.
#[test]
fn the_bytes_of_a_seed_are_frozen() {
    let digest = planned(&SimulateConfig {
        broken: 0.05,
        ..small()
    })
    .iter()
    .fold(Uuid::nil(), |digest, planned| {
        let bytes = match &planned.payload {
            Payload::Event(event) => encode(event).unwrap(),
            Payload::Datum(bytes) | Payload::Bytes(bytes) => bytes.clone(),
        };
        let at = planned.delivered_at.0.to_be_bytes();
        Uuid::new_v5(
            &digest,
            &[
                planned.kind.name().as_bytes(),
                planned.key.as_bytes(),
                &at,
                &bytes,
            ]
            .concat(),
        )
    });
    assert_eq!(digest.to_string(), "2f391275-3b31-5ac9-a735-5a214fe29b65");
}

#[test]
fn confidence_is_mixed_as_measured() {
    let deliveries = planned(&SimulateConfig {
        correct: 0.0,
        ..small()
    });
    let mut counts = [0.0; 4];
    for event in events(&deliveries) {
        if let Event::HeartRates(event) = event {
            event
                .samples
                .iter()
                .for_each(|sample| counts[usize::try_from(sample.confidence).unwrap()] += 1.0);
        }
    }
    let all: f64 = counts.iter().sum();
    for (count, share) in counts.iter().zip([0.006, 0.316, 0.388, 0.291]) {
        assert!((count / all - share).abs() < 0.01, "{counts:?}");
    }
}

#[test]
fn heart_rates_are_smooth_and_lower_at_night() {
    let deliveries = planned(&SimulateConfig {
        participants: 1,
        correct: 0.0,
        broken: 0.0,
        ..SimulateConfig::default()
    });
    let (mut night, mut day) = (Vec::new(), Vec::new());
    for event in events(&deliveries) {
        let Event::HeartRates(event) = event else { continue };
        for pair in event
            .samples
            .windows(2)
            .filter(|pair| pair[1].ts.0 - pair[0].ts.0 <= 10_000 && pair.iter().all(|s| s.confidence > 0))
        {
            assert!((pair[0].bpm - pair[1].bpm).abs() <= 25, "{pair:?}");
        }
        for sample in &event.samples {
            match sample.ts.0.rem_euclid(DAY_MS) / 3_600_000 {
                2..=4 => night.push(f64::from(sample.bpm)),
                14..=17 => day.push(f64::from(sample.bpm)),
                _ => {}
            }
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!(
        mean(&night) + 10.0 < mean(&day),
        "night {} day {}",
        mean(&night),
        mean(&day)
    );
}

#[test]
fn broken_uploads_are_broken_in_the_way_they_say() {
    let deliveries = planned(&SimulateConfig {
        broken: 0.5,
        ..small()
    });
    for planned in deliveries
        .iter()
        .filter(|planned| matches!(planned.kind, Kind::Broken(_)))
    {
        let writer = WriterSchema::parse(planned.stream.schema_json()).unwrap();
        match (&planned.kind, &planned.payload) {
            (Kind::Broken(Breakage::Garbage), Payload::Bytes(bytes)) => {
                assert!(pulseline_schemas::unframe(bytes).is_err());
            }
            (Kind::Broken(Breakage::UnknownSchema), Payload::Bytes(bytes)) => {
                let (id, datum) = pulseline_schemas::unframe(bytes).unwrap();
                assert_eq!(id, 2_000_000_000);
                decode(planned.stream, &writer, datum).unwrap();
            }
            (Kind::Broken(Breakage::Truncated), Payload::Datum(datum)) => {
                decode(planned.stream, &writer, datum).unwrap_err();
            }
            (Kind::Broken(Breakage::Unmappable), Payload::Event(event)) => {
                let oracle = Oracle::of([planned.clone()]);
                assert_eq!(oracle.dead.len(), 1, "{event:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn corrections_differ_and_some_arrive_before_what_they_correct() {
    let deliveries = planned(&SimulateConfig {
        correct: 0.5,
        ..small()
    });
    let mut originals = HashMap::new();
    let mut corrections = HashMap::new();
    for planned in &deliveries {
        let Payload::Event(event) = &planned.payload else {
            continue;
        };
        let Some(upload) = event.upload() else { continue };
        let key = (
            event.stream(),
            upload.device_id,
            upload.window_start,
            upload.utc_offset_minutes,
        );
        match planned.kind {
            Kind::OnTime | Kind::Late => originals.insert(key, planned),
            Kind::Correction => corrections.insert(key, planned),
            _ => None,
        };
    }
    assert!(corrections.len() > 300);
    let mut overtaken = 0;
    for (key, correction) in &corrections {
        let original = originals[key];
        assert!(correction.synced_at >= original.synced_at);
        assert_ne!(correction.payload, original.payload);
        overtaken += usize::from(original.delivered_at > correction.delivered_at);
    }
    assert!(
        overtaken * 10 > corrections.len() && overtaken * 2 < corrections.len(),
        "{overtaken}"
    );
}

#[test]
fn from_now_nothing_is_sent_of_the_past() {
    // 2026-03-29T00:30Z: half an hour before Oslo's clocks go forward.
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

#[test]
fn a_plan_holds_descriptions_not_events() {
    // Four weeks with everything late: what waits is a week of uploads.
    let config = SimulateConfig {
        participants: 2,
        days: 28,
        late: 1.0,
        ..SimulateConfig::default()
    };
    let mut plan = plan(&config, UtcMillis(0)).unwrap();
    let mut most = 0;
    while plan.next().is_some() {
        most = most.max(plan.waiting());
    }
    assert!(most < 8 * 3 * 2 * 96, "{most}");
}
