//! People and their days, from stage and agg only: no e-mail, birth date or single reading.

use jiff::civil::Date;
use pulseline_sql::{Client, GenericClient, query};
use serde::Serialize;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

const PEOPLE_MAX: i64 = 1_000;
const PEOPLE: &str = query!("console/people");
/// The baselines have the day's own figures too.
const DAYS: &str = query!("console/days");
const NIGHTS: &str = query!("console/nights");
const QUARTERS: &str = query!("console/quarters");

/// A person, as in the list.
#[derive(Debug, Serialize)]
pub(crate) struct Person {
    user: String,
    zone: Option<String>,
    devices: i32,
    /// First day with any figure, in the wearer's local time, as the compactor stored it.
    first: Option<String>,
    last: Option<String>,
}

/// A day's figures; null when unknown.
#[derive(Debug, Serialize)]
pub(crate) struct Day {
    date: String,
    minutes_worn: i64,
    steps: Option<i64>,
    bpm_avg: Option<f64>,
    bpm_min: Option<i16>,
    bpm_max: Option<i16>,
    resting_bpm: Option<f64>,
    /// Mean of the previous 28 days that were worn for at least 60 %.
    resting_bpm_28d: Option<f64>,
    valid_days_28d: Option<i64>,
    /// Of these, days with a resting heart rate.
    resting_bpm_days_28d: Option<i64>,
}

/// A sleep, minutes by stage.
#[derive(Debug, Serialize)]
pub(crate) struct Night {
    date: String,
    start: String,
    end: String,
    main_sleep: bool,
    minutes_asleep: Option<i32>,
    deep: Option<f64>,
    light: Option<f64>,
    rem: Option<f64>,
    wake: Option<f64>,
    asleep: Option<f64>,
    restless: Option<f64>,
    avg_sleep_bpm: Option<f64>,
}

/// Fifteen minutes of a day.
#[derive(Debug, Serialize)]
pub(crate) struct Quarter {
    /// Start in the wearer's local time, such as 07:15.
    at: String,
    minutes_worn: i64,
    bpm: Option<f64>,
    bpm_min: Option<i16>,
    bpm_max: Option<i16>,
    steps: Option<i64>,
}

/// The figures that a person's page draws.
#[derive(Debug, Serialize)]
pub(crate) struct Days {
    days: Vec<Day>,
    nights: Vec<Night>,
    /// Quarter hours of a single day; empty for a longer range.
    quarters: Vec<Quarter>,
}

/// All people, those with the newest readings first.
pub(crate) async fn people(client: &Client) -> Result<Vec<Person>, Error> {
    let person = |row: &Row| Person {
        user: row.get(0),
        zone: row.get(1),
        devices: row.get(2),
        first: row.get(3),
        last: row.get(4),
    };
    let rows = client.query(PEOPLE, &[&PEOPLE_MAX]).await?;
    Ok(rows.iter().map(person).collect())
}

/// A person's days from `from` to `to`.
pub(crate) async fn days(client: &Client, user: Uuid, from: Date, to: Date) -> Result<Days, Error> {
    let (first, last) = (from.to_string(), to.to_string());
    // One after the other: a cancel request ends the statement that runs, not those that wait behind it.
    let days = client.query(DAYS, &[&user, &first, &last]).await?;
    let nights = client.query(NIGHTS, &[&user, &first, &last]).await?;
    let quarters = if from == to {
        client.query(QUARTERS, &[&user, &first]).await?
    } else {
        Vec::new()
    };
    Ok(Days {
        days: days.iter().map(day).collect(),
        nights: nights.iter().map(night).collect(),
        quarters: quarters.iter().map(quarter).collect(),
    })
}

fn day(row: &Row) -> Day {
    Day {
        date: row.get(0),
        minutes_worn: row.get(1),
        steps: row.get(2),
        bpm_avg: row.get(3),
        bpm_min: row.get(4),
        bpm_max: row.get(5),
        resting_bpm: row.get(6),
        resting_bpm_28d: row.get(7),
        valid_days_28d: row.get(8),
        resting_bpm_days_28d: row.get(9),
    }
}

fn night(row: &Row) -> Night {
    Night {
        date: row.get(0),
        start: row.get(1),
        end: row.get(2),
        main_sleep: row.get(3),
        minutes_asleep: row.get(4),
        deep: row.get(5),
        light: row.get(6),
        rem: row.get(7),
        wake: row.get(8),
        asleep: row.get(9),
        restless: row.get(10),
        avg_sleep_bpm: row.get(11),
    }
}

fn quarter(row: &Row) -> Quarter {
    Quarter {
        at: row.get(0),
        minutes_worn: row.get(1),
        bpm: row.get(2),
        bpm_min: row.get(3),
        bpm_max: row.get(4),
        steps: row.get(5),
    }
}
