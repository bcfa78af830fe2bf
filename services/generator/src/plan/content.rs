//! Makes what is sent: the event of an upload, with its id, or what became of it.

use pulseline_schemas::{
    Event, HeartRates, LocalMillis, Steps, Stream, Upload, UtcMillis, content_hash, encode, frame,
};
use uuid::Uuid;

use super::fate::{Fate, Subject};
use super::{Breakage, Kind, Payload, Planned};
use crate::cohort::day::Day;
use crate::cohort::{Cohort, NAMESPACE, vitals};
use crate::random::{Draw, Purpose};

/// An id that no registry hands out: they count up from 1.
const UNKNOWN_SCHEMA_ID: u32 = 2_000_000_000;
/// 2099-07-01T12:00 on any clock.
const YEAR_2099: LocalMillis = LocalMillis(4_086_590_400_000);
const IMPOSSIBLE_BPM: i32 = 400;
const IMPOSSIBLE_STEPS: i32 = 60_000;

/// What is sent of an upload; none when its window holds no reading.
pub(super) fn of_upload(cohort: &Cohort, day: &Day, subject: Subject, fate: &Fate) -> Option<Planned> {
    let device = day.device.index;
    let mut event = match subject {
        Subject::HeartRates(index) => {
            let window = &day.windows[index];
            let mut samples = vitals::heart_rates(cohort, day, window);
            if fate.corrected {
                vitals::correct_heart_rates(
                    &mut samples,
                    &mut cohort.draw(device, window.from, Purpose::Correction),
                );
            }
            Event::HeartRates(HeartRates {
                upload: envelope(day, index, fate),
                samples,
            })
        }
        Subject::Steps(index) => {
            let window = &day.windows[index];
            let mut samples = vitals::steps(cohort, day, window);
            if fate.corrected {
                vitals::correct_steps(
                    &mut samples,
                    &mut cohort.draw(device, window.from, Purpose::Correction),
                );
            }
            Event::Steps(Steps {
                upload: envelope(day, index, fate),
                samples,
            })
        }
        Subject::Sleep(index) => {
            let session = &day.sessions[index];
            let mut draw = cohort.draw(device, session.start.0, Purpose::Correction);
            let session = if fate.corrected {
                &session.edited(&mut draw)
            } else {
                session
            };
            Event::Sleep(session.event(cohort, &day.device, UtcMillis(fate.synced_at)))
        }
        Subject::Profile { .. } => return None,
    };
    if event.readings() == 0 {
        return None;
    }
    let mut draw = cohort.draw(device, fate.delivered_at, Purpose::Breakage);
    if fate.kind == Kind::Broken(Breakage::Unmappable) {
        make_unmappable(&mut event, &mut draw);
    }
    Some(finished(event, fate, &mut draw))
}

/// A version of a person's profile.
pub(super) fn of_profile(cohort: &Cohort, person: usize, version: i32, fate: &Fate) -> Option<Planned> {
    let person = cohort.people.get(person)?;
    let event = Event::User(cohort.profile(person, version, UtcMillis(fate.synced_at)));
    Some(finished(
        event,
        fate,
        &mut cohort.draw(person.index, 0, Purpose::Breakage),
    ))
}

fn envelope(day: &Day, index: usize, fate: &Fate) -> Upload {
    let window = &day.windows[index];
    Upload {
        event_id: Uuid::nil(),
        device_id: day.device.device_id,
        synced_at: UtcMillis(fate.synced_at),
        utc_offset_minutes: window.utc_offset_minutes,
        window_start: UtcMillis(window.from).at_offset(window.utc_offset_minutes),
        window_end: UtcMillis(window.to).at_offset(window.utc_offset_minutes),
    }
}

/// Gives the event its id and makes of it what is sent.
fn finished(mut event: Event, fate: &Fate, draw: &mut Draw) -> Planned {
    event.set_event_id(id_of(&event));
    let (delivered_at, synced_at) = fate.sent();
    let (stream, key) = (event.stream(), event.key());
    let payload = match fate.kind {
        Kind::Broken(Breakage::Garbage) => Payload::Bytes(garbage(draw)),
        Kind::Broken(Breakage::Truncated) => {
            let mut datum = datum_of(&event);
            datum.truncate(datum.len() / 2);
            Payload::Datum(datum)
        }
        Kind::Broken(Breakage::UnknownSchema) => Payload::Bytes(frame(UNKNOWN_SCHEMA_ID, &datum_of(&event))),
        Kind::Broken(Breakage::Unmappable)
        | Kind::OnTime
        | Kind::Late
        | Kind::Duplicate
        | Kind::Correction => Payload::Event(event),
    };
    Planned {
        delivered_at,
        synced_at,
        stream,
        key,
        kind: fate.kind,
        payload,
    }
}

/// The id of an event: stream, key, window, instant and content. The same upload has the same id, wherever and
/// whenever it is planned.
fn id_of(event: &Event) -> Uuid {
    // The content has no id yet.
    let content = content_hash(event, &serde_json::Map::new());
    let window = event
        .upload()
        .map_or((0, 0), |upload| (upload.window_start.0, upload.window_end.0));
    let mut name = Vec::with_capacity(96);
    name.extend_from_slice(stream_tag(event.stream()));
    name.extend_from_slice(event.key().as_bytes());
    for part in [window.0, window.1, event.synced_at().0] {
        name.extend_from_slice(&part.to_be_bytes());
    }
    name.extend_from_slice(&content);
    Uuid::new_v5(&NAMESPACE, &name)
}

const fn stream_tag(stream: Stream) -> &'static [u8] {
    stream.name().as_bytes()
}

/// Bytes of no format: never framed, so never taken for an event by accident.
fn garbage(draw: &mut Draw) -> Vec<u8> {
    let length = draw.between(1, 200);
    let mut bytes = draw.bytes(usize::try_from(length).unwrap_or(1));
    bytes[0] |= 1;
    bytes
}

/// An event that does not encode leaves no bytes, which is as broken.
fn datum_of(event: &Event) -> Vec<u8> {
    encode(event).unwrap_or_default()
}

/// One reading becomes impossible, the others stay. Sessions end in 2099.
fn make_unmappable(event: &mut Event, draw: &mut Draw) {
    let in_2099 = draw.chance(0.5);
    match event {
        Event::HeartRates(HeartRates { samples, .. }) => {
            let index = draw.below(u32::try_from(samples.len()).unwrap_or(1)) as usize;
            if in_2099 {
                samples[index].ts = YEAR_2099;
            } else {
                samples[index].bpm = IMPOSSIBLE_BPM;
            }
        }
        Event::Steps(Steps { samples, .. }) => {
            let index = draw.below(u32::try_from(samples.len()).unwrap_or(1)) as usize;
            if in_2099 {
                samples[index].ts = YEAR_2099;
            } else {
                samples[index].steps = IMPOSSIBLE_STEPS;
            }
        }
        Event::Sleep(sleep) => {
            sleep.upload.window_start = YEAR_2099;
            sleep.upload.window_end = LocalMillis(YEAR_2099.0 + sleep.duration_ms);
        }
        Event::User(_) => {}
    }
}
