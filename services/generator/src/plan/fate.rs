//! What becomes of each upload: on time, late, twice, corrected, with a broken one beside it.

use pulseline_schemas::UtcMillis;
use pulseline_schemas::time::{DAY_MS, MINUTE_MS};

use super::{Breakage, Kind};
use crate::cohort::Cohort;
use crate::cohort::day::Day;
use crate::config::SimulateConfig;
use crate::random::{Draw, Purpose};

const SECOND_MS: i64 = 1_000;
/// Devices keep readings this long before they upload.
const LATE_MAX_MS: i64 = 7 * DAY_MS;
/// What is later than this counts as late.
const LATE_MIN_MS: i64 = 60 * MINUTE_MS;
/// Corrections whose original arrives after them: whoever takes the last to arrive for the last to be sent is wrong.
const ORIGINAL_OVERTAKEN: f64 = 0.2;
/// Corrections sent in the very millisecond of their original: the greater id wins.
const SAME_INSTANT: f64 = 0.05;

/// What is uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// Heart rates of the window with this index.
    HeartRates(usize),
    /// Steps of the window with this index.
    Steps(usize),
    /// The sleep with this index.
    Sleep(usize),
    /// A version of a person's profile.
    Profile { person: usize, version: i32 },
}

/// How and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) synced_at: i64,
    pub(super) delivered_at: i64,
    pub(super) kind: Kind,
    /// True when the values are the corrected ones (a duplicate may repeat either).
    pub(super) corrected: bool,
}

/// Everything that is sent of a day.
pub(super) fn of_day(cohort: &Cohort, config: &SimulateConfig, day: &Day) -> Vec<(Subject, Fate)> {
    let mut sent = Vec::new();
    let device = day.device.index;
    for (index, window) in day.windows.iter().enumerate() {
        let worn = (window.from..window.to)
            .step_by(5_000)
            .any(|at| day.minute(at).is_some_and(|minute| minute.worn));
        let walked = day.minutes_in(window).any(|(_, minute)| minute.steps.is_some());
        let streams = [
            (worn, Subject::HeartRates(index), Purpose::FateOfHeartRates),
            (walked, Subject::Steps(index), Purpose::FateOfSteps),
        ];
        for (_, subject, purpose) in streams.into_iter().filter(|(any, ..)| *any) {
            let mut draw = cohort.draw(device, window.from, purpose);
            let first = window.to + draw.between(5, 240) * SECOND_MS + draw.between(0, 999);
            sent.extend(
                fates(config, &mut draw, first)
                    .into_iter()
                    .map(|fate| (subject, fate)),
            );
        }
    }
    for (index, session) in day.sessions.iter().enumerate() {
        let mut draw = cohort.draw(device, session.start.0, Purpose::FateOfSleep);
        let first = session.end.0 + draw.between(2 * 60, 40 * 60) * SECOND_MS + draw.between(0, 999);
        sent.extend(
            fates(config, &mut draw, first)
                .into_iter()
                .map(|fate| (Subject::Sleep(index), fate)),
        );
    }
    sent
}

/// Every person's profile at the start, and a newer version of some a day and a half later.
pub(super) fn of_profiles(cohort: &Cohort, config: &SimulateConfig, start: i64) -> Vec<(Subject, Fate)> {
    let mut sent = Vec::new();
    for (person, profile) in cohort.people.iter().enumerate() {
        let newer = profile.index % 5 == 0 && config.days >= 3;
        for version in 0..=i32::from(newer) {
            let at = start + i64::from(version) * (DAY_MS * 3 / 2) + i64::from(profile.index) * 10;
            let subject = Subject::Profile { person, version };
            let fate = Fate {
                synced_at: at,
                delivered_at: at,
                kind: Kind::OnTime,
                corrected: false,
            };
            sent.push((subject, fate));
            let mut draw = cohort.draw(profile.index, version.into(), Purpose::FateOfUser);
            if draw.chance(config.duplicate) {
                sent.push((subject, repeated(&fate, &mut draw)));
            }
        }
    }
    sent
}

/// What is sent of one upload that is first sent at `on_time` if nothing happens to it.
fn fates(config: &SimulateConfig, draw: &mut Draw, on_time: i64) -> Vec<Fate> {
    // All chances are drawn, whatever comes of them: another share changes nothing but what it is the share of.
    let (late, twice, corrected, broken) = (
        draw.chance(config.late),
        draw.chance(config.duplicate),
        draw.chance(config.correct),
        draw.chance(config.broken),
    );
    let delay = draw.between(LATE_MIN_MS / SECOND_MS, LATE_MAX_MS / SECOND_MS) * SECOND_MS;
    let (kind, at) = if late {
        (Kind::Late, on_time + delay)
    } else {
        (Kind::OnTime, on_time)
    };
    let mut original = Fate {
        synced_at: at,
        delivered_at: at,
        kind,
        corrected: false,
    };
    let mut others = Vec::new();
    if corrected {
        let later = if draw.chance(SAME_INSTANT) {
            0
        } else {
            draw.between(10 * 60, 2 * 86_400) * SECOND_MS
        };
        let correction = Fate {
            synced_at: at + later,
            delivered_at: at + later,
            kind: Kind::Correction,
            corrected: true,
        };
        if draw.chance(ORIGINAL_OVERTAKEN) {
            original.delivered_at = correction.delivered_at + draw.between(1, 600) * SECOND_MS;
        }
        others.push(correction);
    }
    if twice {
        let of = if corrected && draw.chance(0.5) {
            others[0]
        } else {
            original
        };
        others.push(repeated(&of, draw));
    }
    if broken {
        let breakage = match draw.below(4) {
            0 => Breakage::Garbage,
            1 => Breakage::Truncated,
            2 => Breakage::UnknownSchema,
            _ => Breakage::Unmappable,
        };
        let at = at + draw.between(1, 60) * SECOND_MS;
        others.push(Fate {
            synced_at: at,
            delivered_at: at,
            kind: Kind::Broken(breakage),
            corrected: false,
        });
    }
    others.insert(0, original);
    others
}

/// The same event once more, a second to two hours later.
fn repeated(fate: &Fate, draw: &mut Draw) -> Fate {
    Fate {
        delivered_at: fate.delivered_at + draw.between(1, 7_200) * SECOND_MS,
        kind: Kind::Duplicate,
        ..*fate
    }
}

impl Fate {
    pub(super) const fn sent(&self) -> (UtcMillis, UtcMillis) {
        (UtcMillis(self.delivered_at), UtcMillis(self.synced_at))
    }
}
