//! Sleeps are plausible, unique, and right on the nights of clock changes.

use super::*;
use crate::cohort::zone::days_of;
use crate::config::SimulateConfig;
use pulseline_schemas::Sleep;

fn day(text: &str) -> i32 {
    days_of(text.parse().unwrap())
}

fn all(from: i32, days: i32) -> Vec<(i32, Sleep)> {
    let cohort = Cohort::new(&SimulateConfig::default()).unwrap();
    let of = |device: &Device, day| {
        let planned = sessions(&cohort, device, day);
        planned
            .into_iter()
            .map(move |session| (day, session))
            .collect::<Vec<_>>()
    };
    let each = cohort.devices.iter().flat_map(|device| {
        (from..from + days).flat_map(move |day| of(device, day).into_iter().map(move |s| (device, s)))
    });
    each.map(|(device, (day, session))| (day, session.event(&cohort, device, session.end)))
        .collect()
}

#[test]
fn sleeps_are_plausible_and_many_cross_midnight() {
    let sleeps = all(day("2019-11-04"), 28);
    let crossing = sleeps
        .iter()
        .filter(|(_, s)| s.upload.window_start.days() != s.upload.window_end.days())
        .count();
    assert!(
        (3 * crossing > sleeps.len()) && crossing < sleeps.len(),
        "{crossing} of {}",
        sleeps.len()
    );
    for (day, sleep) in &sleeps {
        assert_eq!(
            sleep.date_of_sleep.0, *day,
            "a sleep belongs to the date on which it ends"
        );
        // In a third of the logs the sum differs by a minute.
        let off = sleep.time_in_bed - sleep.minutes_asleep - sleep.minutes_awake;
        assert!((0..=1).contains(&off));
        let seconds: i32 = sleep.levels.iter().map(|level| level.seconds).sum();
        assert_eq!(
            i64::from(seconds) * 1_000,
            sleep.upload.window_end.0 - sleep.upload.window_start.0
        );
        assert!(
            sleep
                .levels
                .windows(2)
                .all(|pair| pair[0].ts.0 + i64::from(pair[0].seconds) * 1_000 == pair[1].ts.0)
        );
        assert!(
            sleep
                .short_levels
                .iter()
                .all(|short| short.ts < sleep.upload.window_end)
        );
        assert_eq!(sleep.upload.window_start.0 % 30_000, 0);
    }
    assert!(
        sleeps.iter().any(|(_, s)| !s.main_sleep)
            && sleeps.iter().any(|(_, s)| s.kind == "classic" && s.main_sleep)
    );
}

#[test]
fn log_ids_are_unique_per_device() {
    let mut ids: Vec<_> = all(day("2019-11-01"), 28)
        .iter()
        .map(|(_, s)| (s.upload.device_id, s.log_id))
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn the_night_of_a_clock_change_has_two_offsets() {
    let spring: Vec<_> = all(day("2020-03-29"), 1)
        .into_iter()
        .filter(|(_, s)| s.end_utc_offset_minutes - s.upload.utc_offset_minutes == 60)
        .collect();
    assert!(spring.len() > 3);
    for (_, sleep) in spring {
        let last = sleep.levels.last().unwrap();
        assert_eq!((last.level.as_str(), last.seconds), ("unknown", 3_600));
    }
}

#[test]
fn an_edit_keeps_the_log_and_changes_the_rest() {
    let cohort = Cohort::new(&SimulateConfig {
        participants: 1,
        ..SimulateConfig::default()
    })
    .unwrap();
    let session = (0..)
        .find_map(|day| night(&cohort, &cohort.devices[0], 18_200 + day))
        .unwrap();
    let edited = session.edited(&mut cohort.draw(0, 0, Purpose::Correction));
    assert_eq!((edited.log_id, edited.start), (session.log_id, session.start));
    assert!(edited.end < session.end && edited.efficiency < session.efficiency);
}
