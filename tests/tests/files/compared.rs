//! Compares the files, value by value, with the oracle of all uploads.

use std::collections::BTreeMap;
use std::path::Path;

use pulseline_generator::{SimulateConfig, WrittenFolder, plan};
use pulseline_schemas::{LocalDay, LocalMillis, SleepLevel, Stream, UtcMillis};
use pulseline_tests::oracle::{Oracle, ReadingKey};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::read::{clock, day, decimal, records};
use crate::{eventful, write};

#[test]
fn the_files_hold_the_final_state_of_the_uploads() {
    let config = eventful();
    let oracle = Oracle::of(plan(&config, UtcMillis(0)).unwrap());
    let folder = TempDir::new().unwrap();
    let mut compared = 0;
    for of in write(&config, &folder).folders {
        let path = folder.path().join(&of.name);
        compared += minutes(&oracle, &of, &path);
        compared += days(&oracle, &of, &path);
        compared += sleeps(&oracle, &of, &path);
        compared += exercises(&oracle, &of, &path);
        compared += scores(&oracle, &of, &path);
    }
    // All streams except profiles, which are in no file.
    assert_eq!(compared, oracle.rows() - oracle.users.len());
}

#[test]
fn every_set_of_quirks_gives_the_final_state_of_its_uploads() {
    for quirks in [
        "none",
        "exact_duplicates,number_forms",
        "-mixed_dates,-clock_changes",
    ] {
        let config = SimulateConfig {
            participants: 1,
            days: 2,
            quirks: quirks.parse().unwrap(),
            ..eventful()
        };
        let oracle = Oracle::of(plan(&config, UtcMillis(0)).unwrap());
        let folder = TempDir::new().unwrap();
        let of = write(&config, &folder).folders.remove(0);
        let path = folder.path().join(&of.name);
        assert!(minutes(&oracle, &of, &path) > 20_000);
        days(&oracle, &of, &path);
        sleeps(&oracle, &of, &path);
        exercises(&oracle, &of, &path);
    }
}

/// Rows of a device in order of time, as (clock, value).
fn rows<V>(
    of: &WrittenFolder,
    rows: &std::collections::HashMap<ReadingKey, V>,
    value: impl Fn(&V) -> Vec<i64>,
) -> Vec<(i64, Vec<i64>)> {
    let own = rows.iter().filter(|(key, _)| key.device_id == of.device_id);
    let mut own: Vec<_> = own.collect();
    own.sort_by_key(|(key, _)| key.at());
    own.into_iter()
        .map(|(key, row)| (key.local_ts.0, value(row)))
        .collect()
}

fn minutes(oracle: &Oracle, of: &WrittenFolder, path: &Path) -> usize {
    let number = |value: &Value, digits| vec![decimal(value["value"].as_str().unwrap(), digits)];
    let read = |name: &str, value: &dyn Fn(&Value) -> Vec<i64>| -> Vec<_> {
        let records = records(path, name).unwrap();
        records
            .iter()
            .map(|record| (clock(record["dateTime"].as_str().unwrap()), value(record)))
            .collect()
    };
    let heart = rows(of, &oracle.heart_rates, |row| {
        vec![row.bpm.into(), row.confidence.map_or(-1, i64::from)]
    });
    let found = read("heart_rate.json", &|record| {
        let value = &record["value"];
        vec![
            value["bpm"].as_i64().unwrap(),
            value["confidence"].as_i64().unwrap_or(-1),
        ]
    });
    assert_eq!(found, heart);
    let steps = rows(of, &oracle.steps, |row| vec![row.steps.into()]);
    assert_eq!(read("steps.json", &|record| number(record, 0)), steps);
    let distances = rows(of, &oracle.distances, |row| vec![row.distance_mm.into()]);
    assert_eq!(read("distance.json", &|record| number(record, 1)), distances);
    let calories = rows(of, &oracle.calories, |row| vec![row.millikcal.into()]);
    assert_eq!(read("calories.json", &|record| number(record, 3)), calories);
    heart.len() + steps.len() + distances.len() + calories.len()
}

type Figures = BTreeMap<(Stream, LocalDay, String), (f64, Option<f64>)>;

fn days(oracle: &Oracle, of: &WrittenFolder, path: &Path) -> usize {
    let own = oracle
        .days
        .iter()
        .filter(|(key, _)| key.device_id == of.device_id);
    let expected: Figures = own
        .map(|(key, row)| {
            let key = (key.stream, key.local_date, key.label.clone());
            (key, (row.value, row.error))
        })
        .collect();
    let mut found = Figures::new();
    let date = |record: &Value| {
        let at = clock(record["dateTime"].as_str().unwrap());
        assert_eq!(at % 86_400_000, 0);
        LocalDay(i32::try_from(LocalMillis(at).days()).unwrap())
    };
    for level in ["sedentary", "lightly_active", "moderately_active", "very_active"] {
        for record in records(path, &format!("{level}_minutes.json")).unwrap_or_default() {
            let minutes: i32 = record["value"].as_str().unwrap().parse().unwrap();
            let key = (Stream::ActivityMinutes, date(&record), level.to_owned());
            found.insert(key, (minutes.into(), None));
        }
    }
    for record in records(path, "time_in_heart_rate_zones.json").unwrap_or_default() {
        for (zone, minutes) in record["value"]["valuesInZones"].as_object().unwrap() {
            let key = (Stream::HeartRateZones, date(&record), zone.clone());
            found.insert(key, (minutes.as_f64().unwrap(), None));
        }
    }
    for record in records(path, "resting_heart_rate.json").unwrap_or_default() {
        let value = &record["value"];
        if value["date"].is_null() {
            assert_eq!(value["value"].as_f64(), Some(0.0));
            continue;
        }
        let key = (Stream::RestingHeartRates, date(&record), String::new());
        found.insert(key, (value["value"].as_f64().unwrap(), value["error"].as_f64()));
    }
    assert_eq!(found, expected);
    expected.len()
}

fn levels(found: Option<&Value>) -> Vec<SleepLevel> {
    let records = found.and_then(Value::as_array).cloned().unwrap_or_default();
    let level = |record: &Value| SleepLevel {
        ts: LocalMillis(clock(record["dateTime"].as_str().unwrap())),
        level: record["level"].as_str().unwrap().to_owned(),
        seconds: i32::try_from(record["seconds"].as_i64().unwrap()).unwrap(),
    };
    records.iter().map(level).collect()
}

fn sleeps(oracle: &Oracle, of: &WrittenFolder, path: &Path) -> usize {
    let found = records(path, "sleep.json").unwrap_or_default();
    for record in &found {
        let log_id = record["logId"].as_i64().unwrap();
        let sleep = &oracle.sleeps[&(of.device_id, log_id)];
        assert_eq!(
            clock(record["startTime"].as_str().unwrap()),
            sleep.upload.window_start.0
        );
        assert_eq!(
            clock(record["endTime"].as_str().unwrap()),
            sleep.upload.window_end.0
        );
        assert_eq!(
            day(record["dateOfSleep"].as_str().unwrap()),
            i64::from(sleep.date_of_sleep.0)
        );
        let whole = json!({
            "duration": sleep.duration_ms, "minutesAsleep": sleep.minutes_asleep, "minutesAwake": sleep.minutes_awake,
            "timeInBed": sleep.time_in_bed, "efficiency": sleep.efficiency, "type": sleep.kind,
            "infoCode": sleep.info_code, "mainSleep": sleep.main_sleep, "logType": sleep.log_type,
            "minutesToFallAsleep": 0, "minutesAfterWakeup": 0,
        });
        for (key, value) in whole.as_object().unwrap() {
            assert_eq!(&record[key], value, "{key}");
        }
        assert_eq!(levels(record["levels"].get("data")), sleep.levels);
        assert_eq!(levels(record["levels"].get("shortData")), sleep.short_levels);
        assert_eq!(
            record.get("thirtyDayAvgMinutes").is_some(),
            sleep.extra.0.is_some()
        );
    }
    let own = oracle.sleeps.keys().filter(|(device, _)| *device == of.device_id);
    assert_eq!(found.len(), own.count());
    found.len()
}

fn exercises(oracle: &Oracle, of: &WrittenFolder, path: &Path) -> usize {
    let found = records(path, "exercise.json").unwrap_or_default();
    for record in &found {
        let log_id = record["logId"].as_i64().unwrap();
        let exercise = &oracle.exercises[&(of.device_id, log_id)];
        let started = clock(record["startTime"].as_str().unwrap());
        assert_eq!(started, exercise.upload.window_start.0);
        let float = |key: &str| record.get(key).map(|value| value.as_f64().unwrap());
        assert_eq!(float("calories"), exercise.calories);
        assert_eq!(float("distance"), exercise.distance);
        assert_eq!(float("speed"), exercise.speed);
        assert_eq!(float("pace"), exercise.pace);
        assert_eq!(float("elevationGain"), exercise.elevation_gain);
        let whole = json!({
            "activityName": exercise.activity_name, "activityTypeId": exercise.activity_type_id,
            "averageHeartRate": exercise.average_heart_rate, "duration": exercise.duration_ms,
            "activeDuration": exercise.active_duration_ms, "steps": exercise.steps, "logType": exercise.log_type,
            "hasGps": exercise.has_gps, "distanceUnit": exercise.distance_unit,
        });
        for (key, value) in whole.as_object().unwrap() {
            assert_eq!(&record[key], value, "{key}");
        }
        for (record, level) in record["activityLevel"]
            .as_array()
            .unwrap()
            .iter()
            .zip(&exercise.levels)
        {
            assert_eq!(*record, json!({ "name": level.name, "minutes": level.minutes }));
        }
        let zones = record["heartRateZones"].as_array().unwrap();
        for (record, zone) in zones.iter().zip(&exercise.heart_rate_zones) {
            let expected = json!({ "name": zone.name, "min": zone.min_bpm, "max": zone.max_bpm, "minutes": zone.minutes });
            assert_eq!(*record, expected);
        }
    }
    let own = oracle
        .exercises
        .keys()
        .filter(|(device, _)| *device == of.device_id);
    assert_eq!(found.len(), own.count());
    found.len()
}

fn scores(oracle: &Oracle, of: &WrittenFolder, path: &Path) -> usize {
    let text = std::fs::read_to_string(path.join("fitbit/sleep_score.csv")).unwrap_or_default();
    let mut compared = 0;
    for line in text.lines().skip(1) {
        let cells: Vec<_> = line.split(',').collect();
        let score = &oracle.sleep_scores[&(of.device_id, cells[1].parse().unwrap())];
        assert_eq!(clock(cells[0]), score.upload.window_end.0);
        let whole = |cell: &str| cell.parse::<i32>().ok();
        assert_eq!(whole(cells[2]), score.overall_score);
        assert_eq!(whole(cells[3]), score.composition_score);
        assert_eq!(whole(cells[4]), score.revitalization_score);
        assert_eq!(whole(cells[5]), score.duration_score);
        assert_eq!(whole(cells[6]), score.deep_sleep_minutes);
        assert_eq!(cells[7].parse::<f64>().ok(), score.resting_heart_rate);
        assert_eq!(cells[8].parse::<f64>().ok(), score.restlessness);
        compared += 1;
    }
    compared
}
