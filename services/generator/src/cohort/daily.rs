//! Figures of a day so far: active minutes, heart-rate zones, resting heart rate.

use pulseline_schemas::time::{DAY_MS, MINUTE_MS};
use pulseline_schemas::{
    ActivityMinute, ActivityMinutes, Event, HeartRateZones, LocalDay, LocalMillis, RestingHeartRate,
    RestingHeartRates, Stream, Upload, UtcMillis, ZoneMinutes,
};
use uuid::Uuid;

use super::activity::{Level, Minute};
use super::day::Day;
use super::oddities::extra;
use super::{Cohort, Device, Person};
use crate::quirks::Quirk;
use crate::random::{Draw, Purpose};

/// Days without an estimate of the resting heart rate, besides those on which the device was not worn.
const NO_ESTIMATE: f64 = 0.10;
/// Days over which the estimate is smoothed.
const SMOOTHED_DAYS: i32 = 7;
/// Days with a custom zone.
const UNKNOWN_ZONE: f64 = 0.04;
/// Two of this many people lack streams: their positions in the imitated data set.
const LACKING_OF: u32 = 16;
const WITHOUT_RESTING: [u32; 2] = [11, 12];
const WITHOUT_LIGHTLY: u32 = 11;

/// Lower ends of the zones in percent of the highest heart rate. A lower heart rate is below all zones.
const ZONES_FROM: [i32; 3] = [50, 70, 85];

/// True if the day has figures of this stream to send.
pub(crate) fn has(cohort: &Cohort, day: &Day, stream: Stream) -> bool {
    if day.device.secondary {
        return false;
    }
    let owner = cohort.owner(&day.device).index % LACKING_OF;
    match stream {
        Stream::RestingHeartRates => {
            let mut draw = cohort.draw(day.device.index, day.date.into(), Purpose::DailyOddities);
            let lacks = cohort.has(Quirk::MissingStreams) && WITHOUT_RESTING.contains(&owner);
            !draw.chance(NO_ESTIMATE) && !lacks && day.is_worn()
        }
        _ => true,
    }
}

/// A day's figures: of its first minutes if `until` is given, corrected if `corrected`. None for a stream without
/// daily figures.
pub(crate) fn event(
    cohort: &Cohort,
    day: &Day,
    (stream, until): (Stream, Option<usize>),
    (synced_at, corrected): (i64, bool),
) -> Option<Event> {
    let minutes = &day.minutes[..until.unwrap_or(day.minutes.len()).min(day.minutes.len())];
    let upload = envelope(cohort, day, until, synced_at);
    let extra = extra(cohort, &day.device, day.start, stream);
    let seed = day.start + stream as i64;
    let mut correction = corrected.then(|| cohort.draw(day.device.index, seed, Purpose::DayCorrection));
    Some(match stream {
        Stream::ActivityMinutes => Event::ActivityMinutes(ActivityMinutes {
            upload,
            samples: activity_minutes(cohort, day, minutes, correction.as_mut()),
            extra,
        }),
        Stream::HeartRateZones => Event::HeartRateZones(HeartRateZones {
            upload,
            samples: zones(cohort, day, minutes, correction.as_mut()),
            extra,
        }),
        Stream::RestingHeartRates => Event::RestingHeartRates(RestingHeartRates {
            upload,
            samples: vec![resting(cohort, day, until.is_some(), correction.as_mut())],
            extra,
        }),
        _ => return None,
    })
}

/// A day begins at its midnight, with the offset of that midnight, even if the clock changes later.
fn envelope(cohort: &Cohort, day: &Day, until: Option<usize>, synced_at: i64) -> Upload {
    let utc_offset_minutes = cohort.owner(&day.device).zone.offset(UtcMillis(day.start));
    let midnight = i64::from(day.date) * DAY_MS;
    let passed = until.and_then(|minutes| i64::try_from(minutes).ok());
    Upload {
        event_id: Uuid::nil(),
        device_id: day.device.device_id,
        synced_at: UtcMillis(synced_at),
        utc_offset_minutes,
        window_start: LocalMillis(midnight),
        window_end: LocalMillis(midnight + passed.map_or(DAY_MS, |minutes| minutes * MINUTE_MS)),
    }
}

fn activity_minutes(
    cohort: &Cohort,
    day: &Day,
    minutes: &[Minute],
    correction: Option<&mut Draw>,
) -> Vec<ActivityMinute> {
    let mut counts = [0; 4];
    for minute in minutes {
        counts[minute.level() as usize] += 1;
    }
    // Some minutes turn out to have been active; the sum stays the same.
    if let Some(draw) = correction {
        let moved = draw.int(1, 20).min(counts[Level::Sedentary as usize]);
        counts[Level::Sedentary as usize] -= moved;
        counts[Level::Moderately as usize] += moved;
    }
    let lacks =
        cohort.has(Quirk::MissingStreams) && cohort.owner(&day.device).index % LACKING_OF == WITHOUT_LIGHTLY;
    let names = ["sedentary", "lightly_active", "moderately_active", "very_active"];
    let levels = names.into_iter().zip(counts);
    levels
        .filter(|(level, _)| !(lacks && *level == "lightly_active"))
        .map(|(level, minutes)| ActivityMinute {
            local_date: LocalDay(day.date),
            level: level.to_owned(),
            minutes,
        })
        .collect()
}

/// The zone of a heart rate.
pub(crate) fn zone_of(person: &Person, bpm: i32) -> usize {
    ZONES_FROM
        .iter()
        .filter(|percent| bpm * 100 >= person.max_bpm * **percent)
        .count()
}

/// The lowest and highest heart rate of a zone, as Fitbit defines it.
pub(crate) fn zone_bounds(person: &Person, zone: usize) -> (i32, i32) {
    let lowest = |zone: usize| person.max_bpm * ZONES_FROM[zone - 1] / 100;
    let from = if zone == 0 { 30 } else { lowest(zone) };
    let to = if zone == ZONES_FROM.len() {
        220
    } else {
        lowest(zone + 1)
    };
    (from, to)
}

fn zones(cohort: &Cohort, day: &Day, minutes: &[Minute], correction: Option<&mut Draw>) -> Vec<ZoneMinutes> {
    let person = cohort.owner(&day.device);
    let mut counts = [0; 4];
    for bpm in minutes.iter().filter_map(Minute::measured_bpm) {
        counts[zone_of(person, bpm)] += 1;
    }
    if let Some(draw) = correction {
        let moved = draw.int(1, 20);
        counts[0] += if counts[0] >= moved { -moved } else { moved };
        counts[1] += moved;
    }
    let names = [
        "BELOW_DEFAULT_ZONE_1",
        "IN_DEFAULT_ZONE_1",
        "IN_DEFAULT_ZONE_2",
        "IN_DEFAULT_ZONE_3",
    ];
    let sample = |(zone, minutes): (&str, i32)| ZoneMinutes {
        local_date: LocalDay(day.date),
        zone: zone.to_owned(),
        minutes: minutes.into(),
    };
    let mut samples: Vec<_> = names.into_iter().zip(counts).map(sample).collect();
    let mut draw = cohort.draw(day.device.index, day.start, Purpose::DailyOddities);
    if draw.chance(UNKNOWN_ZONE) && cohort.has(Quirk::UnknownValues) {
        samples.push(sample(("IN_CUSTOM_ZONE", draw.int(1, 30))));
    }
    samples
}

/// An estimate of the evening is preliminary.
fn resting(cohort: &Cohort, day: &Day, early: bool, correction: Option<&mut Draw>) -> RestingHeartRate {
    let mut draw = cohort.draw(day.device.index, day.start, Purpose::Resting);
    let error = f64::from(draw.int(5_800, 13_000)) / 1_000.0;
    let shift = correction.map_or(0, |draw| draw.int(1, 12)) + if early { draw.int(1, 9) } else { 0 };
    RestingHeartRate {
        local_date: LocalDay(day.date),
        bpm: resting_estimate(cohort, &day.device, day.date) + f64::from(shift) / 10.0,
        error: Some(error),
    }
}

/// The resting heart rate of a date: the average of the last days.
pub(crate) fn resting_estimate(cohort: &Cohort, device: &Device, date: i32) -> f64 {
    let thousandths = |date: i32| {
        cohort
            .draw(device.index, date.into(), Purpose::Resting)
            .int(-4_000, 4_000)
    };
    let sum: i32 = (0..SMOOTHED_DAYS).map(|days| thousandths(date - days)).sum();
    f64::from(cohort.owner(device).resting_bpm) + f64::from(sum) / f64::from(1_000 * SMOOTHED_DAYS)
}
