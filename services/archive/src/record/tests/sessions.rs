//! Quirks of sessions: sleeps, scores, exercises, profiles.

use pulseline_schemas::{Exercise, Sleep, SleepScore, User};

use super::*;
use crate::value::parse_date;

fn sleep(log: &str) -> Sleep {
    match events(Family::Sleep, Clock::Local, &[log]).remove(0) {
        Event::Sleeps(sleep) => sleep,
        other => panic!("{other:?}"),
    }
}

fn log(fields: &str) -> String {
    format!(
        r#"{{"logId": 25000000001, "startTime": "2020-03-28 23:00:00", "endTime": "2020-03-29T07:00:30.000",
        "dateOfSleep": "2020-03-29", "duration": 28800000, "minutesToFallAsleep": 0, "minutesAsleep": 400,
        "minutesAwake": 50, "minutesAfterWakeup": 1, "efficiency": 97, {fields}}}"#
    )
}

#[test]
fn a_sleep_over_the_clock_change() {
    let sleep = sleep(&log(
        r#""timeInBed": 480, "type": "stages", "infoCode": 0, "mainSleep": "False", "levels": {
            "summary": {"deep": {"count": 4}},
            "data": [{"dateTime": "2020-03-28T23:00:00.000", "level": "light", "seconds": 30, "x": 1},
                     {"dateTime": "2020-03-29T06:00:00.000", "level": "unknown", "seconds": 3600}]}"#,
    ));
    assert_eq!(sleep.log_id, 25_000_000_001);
    // A record with two formats of dates. The levels keep the offset of the start; the end has its own.
    assert_eq!(
        sleep.upload.window_end.0,
        parse_date("2020-03-29 07:00:30").unwrap()
    );
    assert_eq!(
        (sleep.upload.utc_offset_minutes, sleep.end_utc_offset_minutes),
        (60, 120)
    );
    assert_eq!(sleep.levels[1].ts.0, parse_date("2020-03-29 06:00:00").unwrap());
    assert_eq!(sleep.levels[1].level, "unknown");
    // As the record states, although its end is 30 seconds later and its parts add up to 451 minutes.
    assert_eq!((sleep.duration_ms, sleep.time_in_bed), (28_800_000, 480));
    assert!(sleep.short_levels.is_empty() && !sleep.main_sleep);
    assert_eq!(
        sleep.extra.0.as_deref(),
        Some(r#"{"levels":{"0":{"x":1}},"levels_summary":{"deep":{"count":4}}}"#)
    );
}

#[test]
fn missing_fields_are_derived_from_the_others() {
    let sleep = sleep(
        r#"{"logId": "1", "startTime": "2020-01-01 23:00:00", "duration": "28800000", "minutesAsleep": 400,
        "minutesAwake": "", "minutesToFallAsleep": 0, "minutesAfterWakeup": 30, "efficiency": 97.0,
        "levels": {"data": [{"dateTime": "2020-01-01 23:00:00", "level": "restless", "seconds": "60"}]}}"#,
    );
    assert_eq!(sleep.time_in_bed, 480);
    assert_eq!(sleep.minutes_awake, 50);
    assert_eq!(sleep.kind, "classic");
    assert_eq!(
        sleep.date_of_sleep.0, 18_263,
        "2020-01-02, the date on which it ended"
    );
    assert_eq!(
        sleep.upload.window_end.0,
        parse_date("2020-01-02 07:00:00").unwrap()
    );
    assert!(sleep.main_sleep);
}

#[test]
fn a_sleep_without_an_underivable_field_is_refused() {
    let whole = log(r#""type": "stages""#);
    for (field, reason) in [
        (r#""logId": 25000000001,"#, "missing"),
        (r#""efficiency": 97,"#, "missing"),
        (r#""startTime": "2020-03-28 23:00:00","#, "missing"),
    ] {
        assert_eq!(
            reasons(Family::Sleep, &[&whole.replace(field, "")]),
            [(-1, reason)]
        );
    }
    let backwards = whole.replace("2020-03-29T07", "2020-03-28T07");
    assert_eq!(reasons(Family::Sleep, &[&backwards]), [(-1, "order")]);
}

#[test]
fn the_z_of_a_score_does_not_mean_utc() {
    let rows = [
        "timestamp,sleep_log_entry_id,overall_score,composition_score,deep_sleep_in_minutes,restlessness,new",
        "2020-07-21T08:47:30Z,28116314253,84,,117,0.0835,x",
    ];
    let score: SleepScore = match events(Family::SleepScore, Clock::Local, &rows).remove(0) {
        Event::SleepScores(score) => score,
        other => panic!("{other:?}"),
    };
    let at = parse_date("2020-07-21 08:47:30").unwrap();
    assert_eq!((score.upload.window_start.0, score.upload.window_end.0), (at, at));
    assert_eq!(score.upload.utc_offset_minutes, 120);
    assert_eq!((score.overall_score, score.composition_score), (Some(84), None));
    assert_eq!(score.extra.0.as_deref(), Some(r#"{"new":"x"}"#));
}

#[test]
fn an_exercise_ends_after_its_duration() {
    let log = r#"{"logId": 1, "activityName": "Run", "startTime": "03/29/20 00:30:00", "duration": 3600000,
        "calories": 170, "averageHeartRate": 100.4, "elevationGain": 0, "vo2Max": {"vo2Max": 45.1},
        "activityLevel": [{"name": "very", "minutes": 60}],
        "heartRateZones": [{"name": "Peak", "min": 153, "max": 220, "minutes": 7}]}"#;
    let exercise = |clock| -> Exercise {
        match events(Family::Exercise, clock, &[log]).remove(0) {
            Event::Exercises(exercise) => exercise,
            other => panic!("{other:?}"),
        }
    };
    // 00:30Z is 01:30 in Oslo; an hour later it is 03:30 there.
    let utc = exercise(Clock::Utc);
    assert_eq!(
        utc.upload.window_start.0,
        parse_date("2020-03-29 01:30:00").unwrap()
    );
    assert_eq!(
        utc.upload.window_end.0,
        parse_date("2020-03-29 03:30:00").unwrap()
    );
    assert_eq!(
        (utc.upload.utc_offset_minutes, utc.end_utc_offset_minutes),
        (60, 120)
    );
    assert_eq!(
        (utc.average_heart_rate, utc.elevation_gain),
        (Some(100), Some(0.0))
    );
    assert_eq!(utc.heart_rate_zones[0].max_bpm, Some(220));
    assert_eq!(utc.extra.0.as_deref(), Some(r#"{"vo2Max":{"vo2Max":45.1}}"#));
    let local = exercise(Clock::Local);
    assert_eq!(
        local.upload.window_start.0,
        parse_date("2020-03-29 00:30:00").unwrap()
    );
}

#[test]
fn profiles_keep_their_ids_and_have_several_devices() {
    let user: User = match events(
        Family::StoreUsers,
        Clock::Local,
        &[r#"{"_id": "x", "age": 48, "height": 195, "gender": "male", "user_id": "0123456789abcdef0123456789abcdef",
            "created_at": 1572566400, "devices": "['00000000000000000000000000000001', '00000000000000000000000000000002']",
            "email": "a@example.org", "dob": -86400}"#],
    )
    .remove(0)
    {
        Event::Users(user) => user,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        user.user_id.simple().to_string(),
        "0123456789abcdef0123456789abcdef"
    );
    assert_eq!(user.devices, [Uuid::from_u128(1), Uuid::from_u128(2)]);
    assert_eq!(user.date_of_birth.map(|day| day.0), Some(-1));
    assert_eq!(
        (user.height_cm, user.zone.as_deref()),
        (Some(195), Some("Europe/Oslo"))
    );
    assert_eq!(user.extra.0.as_deref(), Some(r#"{"age":48}"#));
}

#[test]
fn sleeps_of_the_store_are_logs_with_other_field_names() {
    let document = r#"{"device_id": "00000000000000000000000000000001", "created_at": 1572566400, "ended_at": 1572595200,
        "log_id": 7, "date_of_sleep": "2019-11-01", "duration": 28800000, "minutes_to_fall_asleep": 0,
        "minutes_asleep": 400, "minutes_awake": 80, "minutes_after_wakeup": 0, "time_in_bed": 480, "efficiency": 90,
        "type": "stages", "main_sleep": true, "levels": {"data": [{"ts": 1572566400, "level": "deep", "seconds": 30}]}}"#;
    let events = events(Family::StoreSleeps, Clock::Local, &[document]);
    let Event::Sleeps(sleep) = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!(sleep.upload.device_id, Uuid::from_u128(1));
    assert_eq!(sleep.upload.window_start.0, 1_572_566_400_000);
    assert_eq!(sleep.extra.0, None);
}
