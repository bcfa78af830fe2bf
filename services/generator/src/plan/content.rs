//! Builds the content of a delivery: an event with its id, or a broken one.

use pulseline_schemas::{Calories, Distances, Event, HeartRates, Steps, Stream, Upload, UtcMillis};
use uuid::Uuid;

use super::breakage::{make_unmappable, payload};
use super::fate::Fate;
use super::identity::id_of;
use super::schedule::Subject;
use super::{Breakage, DeliveryKind, Payload, Planned};
use crate::cohort::day::Day;
use crate::cohort::oddities::{extra, repeat};
use crate::cohort::{Cohort, daily, movement, score, vitals};
use crate::random::{Draw, Purpose};

/// Most readings of an upload: 15 minutes with one every 5 seconds, or one per minute and some twice.
const MOST_HEART_RATES: usize = 180;
const MOST_MINUTES: usize = 17;

/// The content of an upload; none when its window holds no reading.
pub(super) fn of_upload(cohort: &Cohort, day: &Day, subject: Subject, fate: &Fate) -> Option<Planned> {
    let device = day.device.index;
    let mut event = match subject {
        Subject::Window(stream, index) => of_window(cohort, day, (stream, index), fate)?,
        Subject::Day(stream, until) => {
            daily::event(cohort, day, (stream, until), (fate.synced_at, fate.corrected))?
        }
        Subject::Sleep(index, levels) => {
            let session = &day.sessions[index];
            let mut draw = cohort.draw(device, session.start.0, Purpose::Correction);
            let changed = if fate.corrected {
                Some(session.edited(&mut draw))
            } else {
                levels.map(|levels| session.first(levels))
            };
            let session = changed.as_ref().unwrap_or(session);
            Event::Sleeps(session.event(cohort, &day.device, UtcMillis(fate.synced_at)))
        }
        Subject::Score(index) => {
            let sent = (fate.synced_at, fate.corrected);
            Event::SleepScores(score::score(cohort, day, &day.sessions[index], sent))
        }
        Subject::Exercise(index) => {
            let bout = &day.bouts[index];
            let mut draw = cohort.draw(device, bout.start.0, Purpose::Correction);
            let edited = fate.corrected.then(|| bout.edited(day.start, &mut draw));
            let bout = edited.as_ref().unwrap_or(bout);
            Event::Exercises(bout.event(cohort, day, fate.synced_at))
        }
        Subject::Profile { .. } => return None,
    };
    if event.readings() == 0 {
        return None;
    }
    let mut draw = cohort.draw(device, fate.delivered_at, Purpose::Breakage);
    if fate.kind == DeliveryKind::Broken(Breakage::Unmappable) {
        make_unmappable(&mut event, &mut draw);
    }
    Some(finished(event, fate, &mut draw))
}

/// A version of a person's profile.
pub(super) fn of_profile(cohort: &Cohort, person: usize, version: i32, fate: &Fate) -> Option<Planned> {
    let person = cohort.people.get(person)?;
    let event = Event::Users(cohort.profile(person, version, UtcMillis(fate.synced_at)));
    Some(finished(
        event,
        fate,
        &mut cohort.draw(person.index, 0, Purpose::Breakage),
    ))
}

fn of_window(cohort: &Cohort, day: &Day, (stream, index): (Stream, usize), fate: &Fate) -> Option<Event> {
    let (device, window) = (&day.device, &day.windows[index]);
    let upload = envelope(day, index, fate);
    let seed = window.from + stream as i64;
    let extra = extra(cohort, device, window.from, stream);
    let mut correction = fate
        .corrected
        .then(|| cohort.draw(device.index, window.from, Purpose::Correction));
    // Readings as measured, or as corrected; some of them are repeated.
    macro_rules! samples {
        ($measure:path, $correct:path, $most:expr) => {{
            let mut samples = $measure(cohort, day, window);
            if let Some(draw) = &mut correction {
                $correct(&mut samples, draw);
            }
            repeat(cohort, device, (seed, $most), &mut samples);
            samples
        }};
    }
    Some(match stream {
        Stream::HeartRates => Event::HeartRates(HeartRates {
            upload,
            samples: samples!(vitals::heart_rates, vitals::correct_heart_rates, MOST_HEART_RATES),
            extra,
        }),
        Stream::Steps => Event::Steps(Steps {
            upload,
            samples: samples!(vitals::steps, vitals::correct_steps, MOST_MINUTES),
            extra,
        }),
        Stream::Distances => Event::Distances(Distances {
            upload,
            samples: samples!(movement::distances, movement::correct_distances, MOST_MINUTES),
            extra,
        }),
        Stream::Calories => Event::Calories(Calories {
            upload,
            samples: samples!(movement::calories, movement::correct_calories, MOST_MINUTES),
            extra,
        }),
        _ => return None,
    })
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

/// Sets the event's id and builds its payload.
fn finished(mut event: Event, fate: &Fate, draw: &mut Draw) -> Planned {
    event.set_event_id(id_of(&event));
    let (delivered_at, synced_at) = fate.sent();
    let (stream, key) = (event.stream(), event.key());
    let payload = match fate.kind {
        DeliveryKind::Broken(breakage) => payload(breakage, event, draw),
        DeliveryKind::OnTime
        | DeliveryKind::Late
        | DeliveryKind::Duplicate
        | DeliveryKind::Correction
        | DeliveryKind::Partial => Payload::Event(event),
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
