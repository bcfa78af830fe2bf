//! Grouping loses and mixes no reading, in bounded memory.

use proptest::prelude::*;
use pulseline_schemas::{ActivityMinute, LocalDay, Step};

use super::*;
use crate::value::parse_date;

const DEVICE: Uuid = Uuid::from_u128(1);

fn moment(text: &str, utc_offset_minutes: i32) -> Moment {
    Moment {
        local: LocalMillis(parse_date(text).unwrap()),
        utc_offset_minutes,
    }
}

fn step(at: Moment, steps: i32) -> (Sample, Option<Box<Unknown>>) {
    (Sample::Step(Step { ts: at.local, steps }), None)
}

fn grouped(samples: &[(Moment, i32)]) -> Vec<Event> {
    let mut grouper = Grouper::new(15, OPEN_BYTES_MAX);
    let mut done = Vec::new();
    for (at, steps) in samples {
        grouper.push(DEVICE, *at, step(*at, *steps), &mut done);
    }
    grouper.finish(&mut done);
    done
}

fn steps_of(event: &Event) -> Vec<i32> {
    match event {
        Event::Steps(event) => event.samples.iter().map(|step| step.steps).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn an_upload_is_a_quarter_of_an_hour_on_the_wall_clock() {
    let done = grouped(&[
        (moment("2020-01-01 10:14:59", 60), 1),
        (moment("2020-01-01 10:15:00", 60), 2),
        (moment("2020-01-01 10:29:00", 60), 3),
        (moment("2020-01-01 10:00:00", 60), 4),
    ]);
    assert_eq!(
        done.iter().map(steps_of).collect::<Vec<_>>(),
        [vec![1, 4], vec![2, 3]]
    );
    let upload = done[1].upload().unwrap();
    assert_eq!(upload.window_start, moment("2020-01-01 10:15:00", 60).local);
    assert_eq!(upload.window_end, moment("2020-01-01 10:30:00", 60).local);
}

#[test]
fn both_passes_of_the_autumn_hour_are_uploads_of_their_own() {
    let first = moment("2020-04-05 02:00:03", 660);
    let second = moment("2020-04-05 02:00:12", 600);
    let done = grouped(&[(first, 1), (second, 2), (first, 3)]);
    // The first pass comes first, although both have the same wall clock.
    assert_eq!(
        done.iter().map(steps_of).collect::<Vec<_>>(),
        [vec![1, 3], vec![2]]
    );
    assert_eq!(done[0].upload().unwrap().utc_offset_minutes, 660);
}

#[test]
fn the_last_of_two_readings_of_one_minute_stays_last() {
    let at = moment("2020-05-08 11:34:00", 600);
    assert_eq!(steps_of(&grouped(&[(at, 47), (at, 0)])[0]), [47, 0]);
}

#[test]
fn days_are_in_blocks_and_the_window_holds_only_their_dates() {
    let mut grouper = Grouper::new(15, OPEN_BYTES_MAX);
    let mut done = Vec::new();
    for day in 18_300..18_400 {
        let local_date = LocalDay(day);
        let sample = Sample::ActivityMinute(ActivityMinute {
            local_date,
            level: "sedentary".into(),
            minutes: 1_440,
        });
        let at = Moment {
            local: LocalMillis(i64::from(day) * DAY_MS),
            utc_offset_minutes: if day < 18_350 { 60 } else { 120 },
        };
        grouper.push(DEVICE, at, (sample, None), &mut done);
    }
    grouper.finish(&mut done);
    let mut reached = 18_300 * DAY_MS;
    for event in &done {
        let upload = event.upload().unwrap();
        assert_eq!(upload.window_start.0, reached);
        reached = upload.window_end.0;
        assert_eq!(event.readings() as i64 * DAY_MS, reached - upload.window_start.0);
        assert!(event.readings() <= 31);
    }
    assert_eq!(reached, 18_400 * DAY_MS);
}

#[test]
fn unknown_fields_are_kept_under_the_index_of_their_sample() {
    let at = moment("2020-01-01 10:00:00", 60);
    let mut grouper = Grouper::new(15, OPEN_BYTES_MAX);
    let mut done = Vec::new();
    grouper.push(DEVICE, at, step(at, 1), &mut done);
    let unknown = Unknown::from_iter([("source".to_owned(), Value::from("phone"))]);
    let (sample, _) = step(at, 2);
    grouper.push(DEVICE, at, (sample, Some(Box::new(unknown))), &mut done);
    grouper.finish(&mut done);
    assert_eq!(
        done[0].extra().0.as_deref(),
        Some(r#"{"samples":{"1":{"source":"phone"}}}"#)
    );
}

proptest! {
    #[test]
    fn grouping_loses_nothing(
        samples in proptest::collection::vec((0_i64..100_000, prop_oneof![Just(60), Just(120)]), 0..300),
        open_bytes_max in 500_usize..20_000,
    ) {
        let mut grouper = Grouper::new(15, open_bytes_max);
        let mut done = Vec::new();
        for (index, (minute, utc_offset_minutes)) in samples.iter().enumerate() {
            let at = Moment { local: LocalMillis(minute * MINUTE_MS), utc_offset_minutes: *utc_offset_minutes };
            grouper.push(DEVICE, at, step(at, index as i32), &mut done);
            prop_assert!(grouper.bytes <= open_bytes_max);
        }
        grouper.finish(&mut done);
        let mut found = Vec::new();
        for event in &done {
            let upload = event.upload().unwrap();
            let mut last = None;
            for (step, index) in match event { Event::Steps(steps) => steps.samples.iter().zip(steps_of(event)), _ => unreachable!() } {
                prop_assert!(upload.window_start <= step.ts && step.ts < upload.window_end);
                prop_assert!(last < Some(index), "file order");
                last = Some(index);
                found.push((index, step.ts.0 / MINUTE_MS, upload.utc_offset_minutes));
            }
        }
        found.sort_unstable();
        let wanted: Vec<_> = samples.iter().enumerate().map(|(index, (minute, offset))| (index as i32, *minute, *offset)).collect();
        prop_assert_eq!(found, wanted);
    }
}
