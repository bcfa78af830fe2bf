//! The tables of days, sessions and people.

use std::collections::HashMap;

use anyhow::{Context, Result};
use pulseline_schemas::{LocalDay, Sleep, Stream, User};
use pulseline_sql::{Client, GenericClient};
use uuid::Uuid;

use super::findings::Findings;
use crate::oracle::{DayKey, Oracle};

const DAYS: &str = "select 'activity_minutes', device_id, local_date - date '1970-01-01', level, \
    minutes::double precision, null::double precision, event_id from raw.activity_minutes union all \
    select 'heart_rate_zones', device_id, local_date - date '1970-01-01', zone, minutes, null, event_id \
    from raw.heart_rate_zones union all \
    select 'resting_heart_rates', device_id, local_date - date '1970-01-01', '', bpm, error, event_id \
    from raw.resting_heart_rates";
const SLEEPS: &str = "select s.device_id, s.log_id, s.event_id, s.minutes_asleep, \
    array(select l.level || ' ' || l.seconds from raw.sleep_levels l \
    where (l.device_id, l.log_id) = (s.device_id, s.log_id) order by l.source, l.seq) from raw.sleeps s";
const SCORES: &str =
    "select device_id, log_id, event_id, overall_score::int, restlessness from raw.sleep_scores";
const EXERCISES: &str = "select device_id, log_id, event_id, activity_name, duration_ms, average_heart_rate::int, \
    calories, distance, jsonb_array_length(levels) from raw.exercises";
const USERS: &str = "select u.user_id, u.event_id, \
    array(select device_id from raw.devices d where d.user_id = u.user_id order by 1) from raw.users u";

pub(super) async fn compare(warehouse: &Client, oracle: &Oracle, findings: &mut Findings) -> Result<()> {
    days(warehouse, oracle, findings).await?;
    let rows = warehouse.query(SLEEPS, &[]).await?;
    let found = rows.iter().map(|row| {
        let value: (Uuid, i32, Vec<String>) = (row.get(2), row.get(3), row.get(4));
        ((row.get(0), row.get(1)), value)
    });
    let expected = oracle.sleeps.iter().map(|(key, sleep)| (*key, levels(sleep)));
    findings.compare::<(Uuid, i64), _>("sleep", expected, found.collect());
    scores(warehouse, oracle, findings).await?;
    exercises(warehouse, oracle, findings).await?;
    let rows = warehouse.query(USERS, &[]).await?;
    let found = rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2))));
    let expected = oracle.users.iter().map(|(id, user)| (*id, profile(user)));
    findings.compare::<Uuid, (Uuid, Vec<Uuid>)>("user", expected, found.collect());
    Ok(())
}

async fn days(warehouse: &Client, oracle: &Oracle, findings: &mut Findings) -> Result<()> {
    let mut found = HashMap::new();
    for row in warehouse.query(DAYS, &[]).await? {
        let key = DayKey {
            stream: Stream::from_name(row.get(0)).context("no stream has this name")?,
            device_id: row.get(1),
            local_date: LocalDay(row.get(2)),
            label: row.get(3),
        };
        let value: (f64, Option<f64>, Uuid) = (row.get(4), row.get(5), row.get(6));
        found.insert(key, value);
    }
    let expected = oracle.days.iter();
    let expected = expected.map(|(key, row)| (key.clone(), (row.value, row.error, row.version.event_id)));
    findings.compare("day", expected, found);
    Ok(())
}

async fn scores(warehouse: &Client, oracle: &Oracle, findings: &mut Findings) -> Result<()> {
    let rows = warehouse.query(SCORES, &[]).await?;
    let found = rows.iter().map(|row| {
        let value: (Uuid, Option<i32>, Option<f64>) = (row.get(2), row.get(3), row.get(4));
        ((row.get(0), row.get(1)), value)
    });
    let expected = oracle.sleep_scores.iter().map(|(key, score)| {
        let value = (score.upload.event_id, score.overall_score, score.restlessness);
        (*key, value)
    });
    findings.compare::<(Uuid, i64), _>("sleep score", expected, found.collect());
    Ok(())
}

async fn exercises(warehouse: &Client, oracle: &Oracle, findings: &mut Findings) -> Result<()> {
    type Shown = (
        Uuid,
        String,
        i64,
        Option<i32>,
        Option<f64>,
        Option<f64>,
        Option<i32>,
    );
    let rows = warehouse.query(EXERCISES, &[]).await?;
    let found = rows.iter().map(|row| {
        let value: Shown = (
            row.get(2),
            row.get(3),
            row.get(4),
            row.get(5),
            row.get(6),
            row.get(7),
            row.get(8),
        );
        ((row.get(0), row.get(1)), value)
    });
    let expected = oracle.exercises.iter().map(|(key, exercise)| {
        let value: Shown = (
            exercise.upload.event_id,
            exercise.activity_name.clone(),
            exercise.duration_ms,
            exercise.average_heart_rate,
            exercise.calories,
            exercise.distance,
            i32::try_from(exercise.levels.len()).ok(),
        );
        (*key, value)
    });
    findings.compare::<(Uuid, i64), _>("exercise", expected, found.collect());
    Ok(())
}

/// Event, minutes asleep, and every level: no row of an older version may remain.
fn levels(sleep: &Sleep) -> (Uuid, i32, Vec<String>) {
    let levels = sleep.levels.iter().chain(&sleep.short_levels);
    let levels = levels.map(|level| format!("{} {}", level.level, level.seconds));
    (sleep.upload.event_id, sleep.minutes_asleep, levels.collect())
}

fn profile(user: &User) -> (Uuid, Vec<Uuid>) {
    let mut devices = user.devices.clone();
    devices.sort_unstable();
    (user.event_id, devices)
}
