//! All uploads of a day and their times.

use pulseline_schemas::Stream;
use pulseline_schemas::time::{DAY_MS, MINUTE_MS};

use super::DeliveryKind;
use super::fate::{Fate, SECOND_MS, fates, repeated};
use crate::cohort::day::Day;
use crate::cohort::{Cohort, daily};
use crate::config::SimulateConfig;
use crate::quirks::Quirk;
use crate::random::Purpose;

/// Days whose preliminary totals are sent in the evening.
const GROWING_DAYS: f64 = 0.3;
/// People edit exercises this many times more often than devices correct windows.
const EDITS: f64 = 8.0;

/// The subject of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A stream's readings in the window with this index.
    Window(Stream, usize),
    /// A stream's figures of the day; of its first minutes only, if given.
    Day(Stream, Option<usize>),
    /// The sleep with this index; only its first levels, if given.
    Sleep(usize, Option<usize>),
    /// The score of the sleep with this index.
    Score(usize),
    /// The exercise with this index.
    Exercise(usize),
    /// A version of a person's profile.
    Profile { person: usize, version: i32 },
}

/// All uploads of a day.
pub(super) fn of_day(cohort: &Cohort, config: &SimulateConfig, day: &Day) -> Vec<(Subject, Fate)> {
    let mut sent = Vec::new();
    of_windows(cohort, config, day, &mut sent);
    of_sleeps(cohort, config, day, &mut sent);
    of_exercises(cohort, config, day, &mut sent);
    of_figures(cohort, config, day, &mut sent);
    sent
}

type Sent = Vec<(Subject, Fate)>;

fn of_windows(cohort: &Cohort, config: &SimulateConfig, day: &Day, sent: &mut Sent) {
    for (index, window) in day.windows.iter().enumerate() {
        let measured = (window.from..window.to).step_by(5_000).any(|at| {
            day.minute(at)
                .is_some_and(|minute| minute.measured_bpm().is_some())
        });
        let walked = day.minutes_in(window).any(|(_, minute)| minute.steps.is_some());
        let passed = day.minutes_in(window).next().is_some();
        let streams = [
            (measured, Stream::HeartRates, Purpose::FateOfHeartRates),
            (walked, Stream::Steps, Purpose::FateOfSteps),
            (walked, Stream::Distances, Purpose::FateOfDistances),
            (passed, Stream::Calories, Purpose::FateOfCalories),
        ];
        for (_, stream, purpose) in streams.into_iter().filter(|(any, ..)| *any) {
            let mut draw = cohort.draw(day.device.index, window.from, purpose);
            let first = window.to + draw.between(5, 240) * SECOND_MS + draw.between(0, 999);
            let subject = Subject::Window(stream, index);
            sent.extend(
                fates(config, &mut draw, first)
                    .into_iter()
                    .map(|fate| (subject, fate)),
            );
        }
    }
}

fn of_sleeps(cohort: &Cohort, config: &SimulateConfig, day: &Day, sent: &mut Sent) {
    let device = &day.device;
    for (index, session) in day.sessions.iter().enumerate() {
        let mut draw = cohort.draw(device.index, session.start.0, Purpose::FateOfSleep);
        let first = session.end.0 + draw.between(2 * 60, 40 * 60) * SECOND_MS + draw.between(0, 999);
        let subject = Subject::Sleep(index, None);
        sent.extend(
            fates(config, &mut draw, first)
                .into_iter()
                .map(|fate| (subject, fate)),
        );
        if let Some(levels) = session.sent_after(cohort, device, day.start) {
            let at = session.first(levels).end.0 + draw.between(2 * 60, 10 * 60) * SECOND_MS;
            let subject = Subject::Sleep(index, Some(levels));
            sent.push((subject, Fate::plain(DeliveryKind::Partial, at)));
        }
        if session.is_scored() {
            // A score belongs to a sleep that was sent.
            let mut draw = cohort.draw(device.index, session.start.0, Purpose::FateOfScore);
            let first = first + draw.between(30, 20 * 60) * SECOND_MS;
            let subject = Subject::Score(index);
            sent.extend(
                fates(config, &mut draw, first)
                    .into_iter()
                    .map(|fate| (subject, fate)),
            );
        }
    }
}

fn of_exercises(cohort: &Cohort, config: &SimulateConfig, day: &Day, sent: &mut Sent) {
    let config = &SimulateConfig {
        correct: (config.correct * EDITS).min(1.0),
        ..config.clone()
    };
    for (index, bout) in day.bouts.iter().enumerate() {
        let mut draw = cohort.draw(day.device.index, bout.start.0, Purpose::FateOfExercise);
        let first = bout.end.0 + draw.between(60, 20 * 60) * SECOND_MS + draw.between(0, 999);
        let subject = Subject::Exercise(index);
        sent.extend(
            fates(config, &mut draw, first)
                .into_iter()
                .map(|fate| (subject, fate)),
        );
    }
}

/// A day's figures are sent the next morning, and on some days in the evening before as well.
fn of_figures(cohort: &Cohort, config: &SimulateConfig, day: &Day, sent: &mut Sent) {
    let device = day.device.index;
    let ended = day.start + i64::try_from(day.minutes.len()).unwrap_or_default() * MINUTE_MS;
    let mut draw = cohort.draw(device, day.date.into(), Purpose::Growth);
    let evening = draw.chance(GROWING_DAYS) && cohort.has(Quirk::GrowingDays);
    let until = draw.between(17 * 60, 22 * 60);
    let streams = [
        (Stream::ActivityMinutes, Purpose::FateOfActivityMinutes),
        (Stream::HeartRateZones, Purpose::FateOfZones),
        (Stream::RestingHeartRates, Purpose::FateOfResting),
    ];
    for (stream, purpose) in streams {
        if !daily::has(cohort, day, stream) {
            continue;
        }
        let mut draw = cohort.draw(device, day.start, purpose);
        if evening {
            let at = day.start + until * MINUTE_MS + draw.between(5, 240) * SECOND_MS;
            let subject = Subject::Day(stream, usize::try_from(until).ok());
            sent.push((subject, Fate::plain(DeliveryKind::Partial, at)));
        }
        let first = ended + draw.between(5 * 3_600, 9 * 3_600) * SECOND_MS + draw.between(0, 999);
        let subject = Subject::Day(stream, None);
        sent.extend(
            fates(config, &mut draw, first)
                .into_iter()
                .map(|fate| (subject, fate)),
        );
    }
}

/// Every person's profile at the start, and for some people a newer version a day and a half later.
pub(super) fn of_profiles(cohort: &Cohort, config: &SimulateConfig, start: i64) -> Vec<(Subject, Fate)> {
    let mut sent = Vec::new();
    for (person, profile) in cohort.people.iter().enumerate() {
        let newer = profile.index % 5 == 0 && config.days >= 3;
        for version in 0..=i32::from(newer) {
            let at = start + i64::from(version) * (DAY_MS * 3 / 2) + i64::from(profile.index) * 10;
            let subject = Subject::Profile { person, version };
            let fate = Fate::plain(DeliveryKind::OnTime, at);
            sent.push((subject, fate));
            let mut draw = cohort.draw(profile.index, version.into(), Purpose::FateOfUser);
            if draw.chance(config.duplicate) {
                sent.push((subject, repeated(&fate, &mut draw)));
            }
        }
    }
    sent
}
