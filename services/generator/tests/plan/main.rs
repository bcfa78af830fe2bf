//! The plan as its callers see it: deterministic, in order, in the stated proportions, plausible.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its input should fail"
)]

mod plausible;
mod properties;
mod quirks;
mod streams;
mod windows;

use std::collections::{HashMap, HashSet};

use pulseline_generator::{Breakage, DeliveryKind, Payload, Planned, SimulateConfig, plan};
use pulseline_schemas::{Event, LocalMillis, Stream, Upload, UtcMillis, WriterSchema, decode, encode};
use uuid::Uuid;

pub(crate) fn planned(config: &SimulateConfig) -> Vec<Planned> {
    plan(config, UtcMillis(0)).unwrap().collect()
}

pub(crate) fn small() -> SimulateConfig {
    SimulateConfig {
        participants: 3,
        days: 2,
        ..SimulateConfig::default()
    }
}

fn event(planned: &Planned) -> Option<&Event> {
    match &planned.payload {
        Payload::Event(event) => Some(event),
        Payload::Datum(_) | Payload::Bytes(_) => None,
    }
}

pub(crate) fn events(deliveries: &[Planned]) -> impl Iterator<Item = &Event> {
    deliveries.iter().filter_map(event)
}

/// The deliveries of a cohort without mishaps: each window, day and session is sent once when it is over.
pub(crate) fn whole(deliveries: &[Planned]) -> impl Iterator<Item = &Event> {
    let on_time = deliveries
        .iter()
        .filter(|planned| planned.kind == DeliveryKind::OnTime);
    on_time.filter_map(event)
}

/// Identity of a reading: device, wall clock, offset.
pub(crate) type ReadingKey = (Uuid, LocalMillis, i32);

pub(crate) const fn reading(upload: &Upload, ts: LocalMillis) -> ReadingKey {
    (upload.device_id, ts, upload.utc_offset_minutes)
}

#[test]
fn the_default_cohort_has_about_two_million_readings_in_the_stated_proportions() {
    let config = SimulateConfig {
        broken: 0.01,
        ..SimulateConfig::default()
    };
    let deliveries = planned(&config);
    let readings: usize = events(&deliveries).map(Event::readings).sum();
    assert!((2_000_000..2_500_000).contains(&readings), "{readings} readings");

    let mut kinds: HashMap<DeliveryKind, f64> = HashMap::new();
    for planned in &deliveries {
        *kinds.entry(planned.kind).or_default() += 1.0;
    }
    let of = |kind| kinds.get(&kind).copied().unwrap_or_default();
    let uploads = of(DeliveryKind::OnTime) + of(DeliveryKind::Late);
    let broken: f64 = [
        Breakage::Garbage,
        Breakage::Truncated,
        Breakage::UnknownSchema,
        Breakage::Unmappable,
    ]
    .map(|b| of(DeliveryKind::Broken(b)))
    .iter()
    .sum();
    let shares = [
        (of(DeliveryKind::Late), 0.05),
        (of(DeliveryKind::Duplicate), 0.02),
        (of(DeliveryKind::Correction), 0.02),
        (broken, 0.01),
    ];
    for (count, share) in shares {
        assert!(
            (count / uploads / share - 1.0).abs() < 0.25,
            "{count} of {uploads}, wanted {share}"
        );
    }
    assert!(DeliveryKind::ALL.iter().all(|kind| of(*kind) > 0.0), "{kinds:?}");

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
fn deliveries_are_in_order_and_never_before_they_were_sent() {
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
    // The profiles come first. Without mishaps, every other upload is delivered when it is sent.
    assert_eq!(deliveries[0].stream, Stream::Users);
    let plain = planned(&SimulateConfig {
        late: 0.0,
        correct: 0.0,
        duplicate: 0.0,
        broken: 0.0,
        ..small()
    });
    assert!(plain.iter().all(
        |planned| matches!(planned.kind, DeliveryKind::OnTime | DeliveryKind::Partial)
            && planned.synced_at == planned.delivered_at
    ));
    assert!(plain.is_sorted_by_key(|planned| planned.synced_at));
}

/// The same on every machine and with every version of the libraries: after a change here, a seed no longer repeats
/// a run.
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
    assert_eq!(digest.to_string(), "1f18bd72-262d-52d6-9ae4-f571c3038445");
}

#[test]
fn broken_uploads_are_broken_as_their_kind_states() {
    let deliveries = planned(&SimulateConfig {
        broken: 0.5,
        ..small()
    });
    for planned in deliveries
        .iter()
        .filter(|planned| matches!(planned.kind, DeliveryKind::Broken(_)))
    {
        let writer = WriterSchema::parse(planned.stream.schema_json()).unwrap();
        match (&planned.kind, &planned.payload) {
            (DeliveryKind::Broken(Breakage::Garbage), Payload::Bytes(bytes)) => {
                assert!(pulseline_schemas::unframe(bytes).is_err());
            }
            (DeliveryKind::Broken(Breakage::UnknownSchema), Payload::Bytes(bytes)) => {
                let (id, datum) = pulseline_schemas::unframe(bytes).unwrap();
                assert_eq!(id, 2_000_000_000);
                decode(planned.stream, &writer, datum).unwrap();
            }
            (DeliveryKind::Broken(Breakage::Truncated), Payload::Datum(datum)) => {
                decode(planned.stream, &writer, datum).unwrap_err();
            }
            // `tests/tests/oracle.rs` tests how it is broken.
            (DeliveryKind::Broken(Breakage::Unmappable), Payload::Event(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn corrections_differ_and_some_arrive_before_their_original() {
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
        // An edit may move an exercise.
        let which = match event {
            Event::Exercises(exercise) => exercise.log_id,
            _ => upload.window_start.0,
        };
        let key = (event.stream(), upload.device_id, which, upload.utc_offset_minutes);
        match planned.kind {
            DeliveryKind::OnTime | DeliveryKind::Late => originals.insert(key, planned),
            DeliveryKind::Correction => corrections.insert(key, planned),
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
fn a_plan_holds_descriptions_not_events() {
    // Four weeks in which every upload is late: a week of uploads is pending.
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
    assert!(most < 8 * 3 * 4 * 97, "{most}");
}
