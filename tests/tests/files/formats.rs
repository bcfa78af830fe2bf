//! Oddities of the files themselves, each of which can be switched off.

use pulseline_generator::{Quirk, Quirks, SimulateConfig, Written};
use serde_json::Value;
use tempfile::TempDir;

use crate::read::{clock, records};
use crate::{eventful, write};

/// One person for three weeks with these quirks: a file's text, or the report of written files.
fn text(quirks: Quirks, file: &str) -> (String, Written) {
    let config = SimulateConfig {
        participants: 1,
        days: 21,
        quirks,
        ..eventful()
    };
    let folder = TempDir::new().unwrap();
    let written = write(&config, &folder);
    let path = folder.path().join("p01/fitbit").join(file);
    (std::fs::read_to_string(path).unwrap(), written)
}

fn repeated(written: &Written) -> u64 {
    let files = written.folders.iter().flat_map(|folder| &folder.files);
    files.map(|file| file.repeated).sum()
}

#[test]
fn numbers_change_their_form_only_with_the_quirk() {
    for (file, whole, float) in [
        ("time_in_heart_rate_zones.json", "_3\": 0}", "_3\": 0.0}"),
        ("distance.json", "\"0\"", "\"0.0\""),
    ] {
        let (with, _) = text(Quirks::ALL, file);
        assert!(with.contains(whole) && with.contains(float), "{file}");
        let (without, _) = text(Quirks::ALL.without(Quirk::NumberForms), file);
        assert!(without.contains(whole) != without.contains(float), "{file}");
    }
}

#[test]
fn a_sleep_has_two_formats_of_dates_only_with_the_quirk() {
    let separators = |quirks| {
        let (text, _) = text(quirks, "sleep.json");
        let records: Vec<Value> = serde_json::from_str(&text).unwrap();
        let of = |key: &str| records[0][key].as_str().unwrap().as_bytes()[10];
        (of("startTime"), of("endTime"))
    };
    assert_eq!(separators(Quirks::ALL), (b' ', b'T'));
    assert_eq!(separators(Quirks::ALL.without(Quirk::MixedDates)), (b' ', b' '));
}

#[test]
fn records_are_repeated_only_with_the_quirk() {
    let (_, with) = text(Quirks::ALL, "sleep.json");
    assert!(repeated(&with) > 20, "{}", repeated(&with));
    let (_, without) = text(Quirks::ALL.without(Quirk::ExactDuplicates), "sleep.json");
    assert_eq!(repeated(&without), 0);
}

#[test]
fn unknown_keys_occur_only_with_the_quirk() {
    for (file, key) in [
        ("heart_rate.json", "\"source\""),
        ("sleep.json", "\"thirtyDayAvgMinutes\""),
        ("exercise.json", "\"activeZoneMinutes\""),
    ] {
        assert!(text(Quirks::ALL, file).0.contains(key), "{file}");
        let (without, _) = text(Quirks::ALL.without(Quirk::UnknownKeys), file);
        assert!(!without.contains(key), "{file}");
    }
}

#[test]
fn the_summary_of_a_classic_sleep_is_wrong_only_with_the_quirk() {
    let lies = |text: &str| {
        let records: Vec<Value> = serde_json::from_str(text).unwrap();
        let classic = records.iter().filter(|record| record["type"] == "classic");
        let counts: Vec<_> = classic
            .map(|record| record["levels"]["summary"]["asleep"]["count"].as_i64().unwrap())
            .collect();
        assert!(!counts.is_empty());
        counts.iter().all(|count| *count == 0)
    };
    assert!(lies(&text(Quirks::ALL, "sleep.json").0));
    assert!(!lies(
        &text(Quirks::ALL.without(Quirk::OddSummaries), "sleep.json").0
    ));
}

#[test]
fn days_without_an_estimate_say_so_and_streams_without_readings_have_no_file() {
    let config = SimulateConfig {
        participants: 13,
        days: 10,
        ..eventful()
    };
    let folder = TempDir::new().unwrap();
    write(&config, &folder);
    let mut without = 0;
    for person in ["p01", "p02", "p03"] {
        let days = records(&folder.path().join(person), "resting_heart_rate.json").unwrap();
        assert_eq!(days.len(), 10, "every day is there");
        without += days
            .iter()
            .filter(|record| record["value"]["date"].is_null())
            .count();
    }
    assert!((1..10).contains(&without), "{without}");
    for (person, file) in [
        ("p12", "resting_heart_rate.json"),
        ("p12", "lightly_active_minutes.json"),
        ("p13", "resting_heart_rate.json"),
        ("p02b", "sleep.json"),
    ] {
        assert_eq!(
            records(&folder.path().join(person), file),
            None,
            "{person} {file}"
        );
    }
}

#[test]
fn a_repeated_hour_runs_backwards_once() {
    let config = SimulateConfig {
        participants: 2,
        from: "2019-11-03".parse().unwrap(),
        days: 1,
        ..SimulateConfig::default()
    };
    let folder = TempDir::new().unwrap();
    write(&config, &folder);
    let backwards = |person: &str| {
        let records = records(&folder.path().join(person), "calories.json").unwrap();
        let clocks: Vec<_> = records
            .iter()
            .map(|record| clock(record["dateTime"].as_str().unwrap()))
            .collect();
        clocks.windows(2).filter(|pair| pair[1] < pair[0]).count()
    };
    // Clocks went back a week earlier in Oslo, and on that day in New York.
    assert_eq!((backwards("p01"), backwards("p02")), (0, 1));
}
