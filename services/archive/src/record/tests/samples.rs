//! Quirks of samples: minutes, heart rates, days.

use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{LocalDay, LocalMillis};

use super::*;
use crate::value::parse_date;

fn local(text: &str) -> LocalMillis {
    LocalMillis(parse_date(text).unwrap())
}

fn day(text: &str) -> LocalDay {
    LocalDay((local(text).0 / DAY_MS) as i32)
}

#[test]
fn minutes_are_text_whole_or_decimal() {
    let read = samples(
        Family::Steps,
        &[
            r#"{"dateTime": "2019-11-01 00:00:00", "value": "12"}"#,
            r#"{"dateTime": "11/01/19 00:01:00", "value": 0}"#,
            r#"{"dateTime": "2019-11-01T00:02:00.000", "value": "3.0"}"#,
        ],
    );
    let steps: Vec<_> = read.iter().map(|(_, sample)| sample.clone()).collect();
    let step = |at: &str, steps| Sample::Step(Step { ts: local(at), steps });
    assert_eq!(
        steps,
        [
            step("2019-11-01 00:00:00", 12),
            step("2019-11-01 00:01:00", 0),
            step("2019-11-01 00:02:00", 3)
        ]
    );
    assert_eq!(read[0].0.utc_offset_minutes, 60);
}

#[test]
fn distances_are_centimetres_and_energy_is_kilocalories() {
    let record = r#"{"dateTime": "2019-11-01 00:00:00", "value": "1.39"}"#;
    let ts = local("2019-11-01 00:00:00");
    let distance = Sample::Distance(Distance { ts, distance_mm: 14 });
    let calorie = Sample::Calorie(Calorie { ts, millikcal: 1_390 });
    assert_eq!(samples(Family::Distance, &[record])[0].1, distance);
    assert_eq!(samples(Family::Calories, &[record])[0].1, calorie);
}

#[test]
fn heart_rates_with_and_without_confidence() {
    let read = samples(
        Family::HeartRate,
        &[
            r#"{"dateTime": "2019-11-01 00:00:05", "value": {"bpm": 54, "confidence": 3}}"#,
            r#"{"dateTime": "2019-11-01 00:00:10", "value": {"bpm": "70", "confidence": null}}"#,
            r#"{"dateTime": "2019-11-01 00:00:15", "value": "71"}"#,
        ],
    );
    let found: Vec<_> = read
        .into_iter()
        .map(|(_, sample)| match sample {
            Sample::HeartRate(rate) => (rate.bpm, rate.confidence),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, [(54, Some(3)), (70, None), (71, None)]);
}

#[test]
fn unknown_fields_are_kept() {
    let record = r#"{"dateTime": "2019-11-01 00:00:05", "value": {"bpm": 54, "hrv": 40}, "source": "x"}"#;
    let (out, _) = read(Family::HeartRate, Clock::Local, &[record]);
    let Reading::Sample { unknown, .. } = &out.rows[0].reading else {
        panic!("{out:?}");
    };
    let text = Value::Object(*unknown.clone().unwrap()).to_string();
    assert_eq!(text, r#"{"hrv":40,"source":"x"}"#);
}

#[test]
fn a_refusal_names_its_reason() {
    for (record, reason) in [
        (r#"{"dateTime": "2019-11-01 00:00:00"}"#, "missing"),
        (r#"{"dateTime": "2019-11-01 00:00:00", "value": ""}"#, "missing"),
        (r#"{"dateTime": null, "value": "1"}"#, "missing"),
        (r#"{"dateTime": "yesterday", "value": "1"}"#, "date"),
        (
            r#"{"dateTime": "2019-11-01 00:00:00", "value": "many"}"#,
            "number",
        ),
        (
            r#"{"dateTime": "2019-11-01 00:00:00", "value": "9999999999"}"#,
            "range",
        ),
        (r#"{"dateTime": "2019-11-01 00:00:00", "value": tru}"#, "json"),
        (r#"{"dateTime": ["2019-11-01 00:00:00"], "value": 1}"#, "shape"),
    ] {
        assert_eq!(reasons(Family::Steps, &[record]), [(-1, reason)], "{record}");
    }
}

#[test]
fn a_day_without_an_estimate_gives_no_row() {
    let none = r#"{"dateTime": "11/02/19 00:00:00", "value": {"date": null, "value": 0.0, "error": 0.0}}"#;
    let nested =
        r#"{"dateTime": "11/01/19 00:00:00", "value": {"date": "11/01/19", "value": 53.7, "error": 6.8}}"#;
    let flat = r#"{"date": "11/03/19", "value": "53.7", "error": 6.8}"#;
    let (out, _) = read(Family::RestingHeartRate, Clock::Local, &[none, nested, flat]);
    assert_eq!((out.sentinels, out.refusals.len()), (1, 0));
    let rates = samples(Family::RestingHeartRate, &[nested, flat]);
    let rate = |at: &str| {
        Sample::RestingHeartRate(RestingHeartRate {
            local_date: day(at),
            bpm: 53.7,
            error: Some(6.8),
        })
    };
    assert_eq!(rates[0].1, rate("2019-11-01"));
    assert_eq!(rates[1].1, rate("2019-11-03"));
}

#[test]
fn a_day_has_the_offset_of_its_midnight() {
    let records = [
        r#"{"dateTime": "2020-03-29 00:00:00", "value": "600"}"#,
        r#"{"dateTime": "2020-03-30 00:00:00", "value": "600"}"#,
    ];
    let read = samples(Family::Activity("sedentary"), &records);
    let offsets: Vec<_> = read.iter().map(|(at, _)| at.utc_offset_minutes).collect();
    assert_eq!(offsets, [60, 120]);
}

#[test]
fn unknown_zones_are_kept() {
    let record = r#"{"dateTime": "2019-11-01 00:00:00", "value": {"valuesInZones":
        {"IN_DEFAULT_ZONE_3": 2.0, "CUSTOM": "7", "BELOW_DEFAULT_ZONE_1": null}}}"#;
    let zones: Vec<_> = samples(Family::HeartRateZones, &[record])
        .into_iter()
        .map(|(_, sample)| match sample {
            Sample::ZoneMinutes(zone) => (zone.zone, zone.minutes),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(zones, [("CUSTOM".into(), 7.0), ("IN_DEFAULT_ZONE_3".into(), 2.0)]);
}

#[test]
fn fitabase_has_people_in_rows_and_hours_in_columns() {
    let rates = ["Id,Time,Value", "2022484408,4/12/2016 7:21:00 AM,97"];
    let (out, people) = read(Family::TableHeartRate, Clock::Local, &rates);
    assert_eq!(people.get(out.rows[0].who).name, "2022484408");
    let rate = Sample::HeartRate(HeartRate {
        ts: local("2016-04-12 07:21:00"),
        bpm: 97,
        confidence: None,
    });
    assert_eq!(samples(Family::TableHeartRate, &rates)[0].1, rate);

    let hour = [
        "Id,ActivityHour,Steps00,Steps01,Steps02",
        "1,4/13/2016 0:00,4,,16",
        "1,4/13/2016 1:00,4",
        "1,4/13/2016 2:00,x,1,2",
    ];
    let (out, _) = read(Family::TableSteps, Clock::Local, &hour);
    assert_eq!(out.rows.len(), 4, "an empty cell is no minute");
    assert_eq!(reasons(Family::TableSteps, &hour), [(-1, "csv"), (0, "number")]);

    let days = [
        "Id,ActivityDate,TotalSteps,VeryActiveMinutes,FairlyActiveMinutes,LightlyActiveMinutes,SedentaryMinutes",
        "1,4/12/2016,13162,25,13,328,728",
    ];
    let levels: Vec<_> = samples(Family::TableActivity, &days)
        .into_iter()
        .map(|(_, sample)| match sample {
            Sample::ActivityMinute(minutes) => (minutes.level, minutes.minutes),
            other => panic!("{other:?}"),
        })
        .collect();
    let named = |level: &str, minutes| (level.to_owned(), minutes);
    assert_eq!(
        levels,
        [
            named("sedentary", 728),
            named("lightly_active", 328),
            named("moderately_active", 13),
            named("very_active", 25)
        ]
    );
}

#[test]
fn documents_of_the_store_keep_their_ids() {
    let hex = "0123456789abcdef0123456789abcdef";
    let document = format!(
        r#"{{"_id": {{"$oid": "5f0c"}}, "device_id": "{hex}", "created_at": 1572566400, "ended_at": 1572567300,
            "metrics": [{{"ts": 1572566405, "bpm": 54, "confidence": 3}}, {{"ts": null, "bpm": 1}},
            {{"ts": {{"$date": {{"$numberLong": "1572566410000"}}}}, "bpm": {{"$numberInt": "55"}}}}]}}"#
    );
    let (out, people) = read(Family::StoreHeartRates, Clock::Local, &[&document]);
    assert_eq!(out.refusals.len(), 1, "one reading is refused, not the document");
    assert_eq!(out.refusals[0].0, 1);
    assert_eq!(out.rows.len(), 2);
    assert_eq!(out.rows[0].device.simple().to_string(), hex);
    // No profile names the device, so it is a person of its own.
    assert_eq!(people.get(out.rows[0].who).name, hex);
    let Reading::Sample { at, .. } = &out.rows[1].reading else {
        panic!("{out:?}");
    };
    assert_eq!(
        at.local,
        local("2019-11-01 00:00:10"),
        "a wall clock as if in UTC"
    );
}
