//! Stage and agg recomputed from raw by plain SQL, slice by slice, each in one snapshot.
//!
//! Written without a look at the migrations' SQL: no time_bucket, no masks, no hierarchy.

use std::collections::BTreeSet;
use std::ops::Range;

use pulseline_sql::periods::{DayNumber, Level, date_of};
use tokio_postgres::{Client, IsolationLevel, Transaction};

use crate::error::AuditError;

mod expected;

/// Days in a slice, about: a long statement holds everyone where all clients share one session.
const SLICE_DAYS: DayNumber = 28;
/// Differing rows that are shown of a relation.
const SHOWN_ROWS: usize = 5;

/// A relation and how to compute it anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) relation: &'static str,
    level: Level,
    /// Streams whose dirty days make a period of it unsure.
    streams: &'static [&'static str],
    columns: &'static str,
    /// Its time column, by which slices are cut; none for a relation without one, which is compared whole.
    bucket: Option<&'static str>,
    expected: fn(&str, &str) -> String,
}

/// What comparing a relation gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compared {
    /// Rows that differ, as text; at most a few.
    pub(crate) differences: Vec<String>,
    /// Periods that were left out because their refresh is pending.
    pub(crate) pending: usize,
}

/// Compares one relation over `days`.
pub(crate) async fn compare(
    client: &mut Client,
    check: &Check,
    days: &Range<DayNumber>,
) -> Result<Compared, AuditError> {
    let mut compared = Compared::default();
    for slice in slices(check, days) {
        let builder = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true);
        let snapshot = builder.start().await?;
        let pending = pending(&snapshot, check, &slice).await?;
        compared.pending += pending.len();
        for row in snapshot.query(&difference(check, &slice, &pending), &[]).await? {
            compared.differences.push(format!(
                "{} {}: {}",
                check.relation,
                row.get::<_, &str>(0),
                row.get::<_, &str>(1)
            ));
        }
        snapshot.rollback().await?;
        if compared.differences.len() >= SHOWN_ROWS {
            compared.differences.truncate(SHOWN_ROWS);
            break;
        }
    }
    Ok(compared)
}

/// The first and the last day of anything in raw or in the daily aggregates.
pub(crate) async fn extent(client: &Client) -> Result<Option<Range<DayNumber>>, AuditError> {
    let sql = "select min(day) - date '1970-01-01', max(day) - date '1970-01-01' from ( \
        select min(local_ts)::date, max(local_ts)::date from raw.heart_rates union all \
        select min(local_ts)::date, max(local_ts)::date from raw.steps union all \
        select min(local_ts)::date, max(local_ts)::date from raw.distances union all \
        select min(local_ts)::date, max(local_ts)::date from raw.calories union all \
        select min(bucket)::date, max(bucket)::date from agg.daily_summary) as e(low, high), \
        lateral (values (low), (high)) as d(day)";
    let row = client.query_one(sql, &[]).await?;
    let (low, high): (Option<i32>, Option<i32>) = (row.get(0), row.get(1));
    Ok(low.zip(high).map(|(low, high)| low..high + 1))
}

/// Whole periods of the relation's level, a month or so each.
fn slices(check: &Check, days: &Range<DayNumber>) -> Vec<Range<DayNumber>> {
    if check.bucket.is_none() {
        return vec![days.clone()];
    }
    let mut slices = Vec::new();
    let mut start = check.level.period(days.start).start;
    while start < days.end {
        let end = check.level.period(start + SLICE_DAYS - 1).end;
        slices.push(start..end);
        start = end;
    }
    slices
}

/// First days of the periods in the slice whose refresh is pending in this very snapshot (P6).
async fn pending(
    snapshot: &Transaction<'_>,
    check: &Check,
    slice: &Range<DayNumber>,
) -> Result<BTreeSet<DayNumber>, AuditError> {
    let sql = "select distinct local_date - date '1970-01-01' from ops.dirty_days where stream = any($1)";
    let rows = snapshot.query(sql, &[&check.streams]).await?;
    let starts = rows.iter().map(|row| check.level.period(row.get(0)).start);
    Ok(starts.filter(|start| slice.contains(start)).collect())
}

fn difference(check: &Check, slice: &Range<DayNumber>, pending: &BTreeSet<DayNumber>) -> String {
    let (from, to) = (date_of(slice.start).to_string(), date_of(slice.end).to_string());
    let expected = (check.expected)(&from, &to);
    let (mut found, mut kept) = (
        format!("select {} from {}", check.columns, check.relation),
        String::from("true"),
    );
    if let Some(bucket) = check.bucket {
        found += &format!(" where {bucket} >= '{from}' and {bucket} < '{to}'");
        for start in pending {
            let period = check.level.period(*start);
            kept += &format!(
                " and not ({bucket} >= '{}' and {bucket} < '{}')",
                date_of(period.start),
                date_of(period.end)
            );
        }
    }
    let columns = check.columns;
    format!(
        "with expected as materialized (select {columns} from ({expected}) e where {kept}), \
         found as materialized (select {columns} from ({found}) f where {kept}) \
         (select 'should be', to_jsonb(x)::text from (table expected except all table found) x limit {SHOWN_ROWS}) union all \
         (select 'should not be', to_jsonb(x)::text from (table found except all table expected) x limit {SHOWN_ROWS})"
    )
}

const HEART: &str =
    "device_id, bucket, readings, valid_readings, bpm_sum, bpm_min, bpm_max, bpm_avg, minutes_worn";
const STEPS: &str = "device_id, bucket, readings, steps, steps_max";
const SLEEPS: &str = "device_id, bucket, sleeps, naps, minutes_asleep, minutes_asleep_main, minutes_in_bed, \
    deep_minutes, light_minutes, rem_minutes, wake_minutes";
const SUMMARY: &str = "device_id, bucket, minutes_worn, valid_readings, bpm_min, bpm_max, bpm_avg, steps, \
    minutes_asleep, minutes_in_bed, sleeps, naps";
const HEART_15M: &str =
    "device_id, bucket, utc_offset_minutes, readings, valid_readings, bpm_sum, bpm_min, bpm_max, worn_mask";
const STEPS_15M: &str = "device_id, bucket, utc_offset_minutes, readings, steps, steps_max";
const SESSION: &str = "device_id, log_id, start_local, end_local, start_utc, end_utc, sleep_date, main_sleep, type, minutes_asleep, \
    time_in_bed_minutes, efficiency_fitbit, efficiency, deep_minutes, light_minutes, rem_minutes, wake_minutes";
const PERSON: &str = "user_id, gender, height_cm, max_heart_rate, zone, created_at, devices";
const H: &[&str] = &["heart_rates"];
const S: &[&str] = &["steps"];
const BOTH: &[&str] = &["heart_rates", "steps"];

/// Every relation of stage and agg.
pub(crate) fn checks() -> Vec<Check> {
    use Level::{Day, Month, Week};
    let check = |relation, level, streams, columns, expected: fn(&str, &str) -> String| Check {
        relation,
        level,
        streams,
        columns,
        bucket: Some("bucket"),
        expected,
    };
    let whole = |relation, columns, expected| Check {
        bucket: None,
        ..check(relation, Day, &[], columns, expected)
    };
    vec![
        check(
            "stage.heart_rates_15m",
            Day,
            H,
            HEART_15M,
            expected::heart_rates_15m,
        ),
        check("agg.daily_heart_rates", Day, H, HEART, |from, to| {
            expected::heart_rates("day", from, to)
        }),
        check("agg.weekly_heart_rates", Week, H, HEART, |from, to| {
            expected::heart_rates("week", from, to)
        }),
        check("agg.monthly_heart_rates", Month, H, HEART, |from, to| {
            expected::heart_rates("month", from, to)
        }),
        check("stage.steps_15m", Day, S, STEPS_15M, expected::steps_15m),
        check("agg.daily_steps", Day, S, STEPS, |from, to| {
            expected::steps("day", from, to)
        }),
        check("agg.weekly_steps", Week, S, STEPS, |from, to| {
            expected::steps("week", from, to)
        }),
        check("agg.monthly_steps", Month, S, STEPS, |from, to| {
            expected::steps("month", from, to)
        }),
        whole("stage.sleeps", SESSION, |_, _| expected::sessions()),
        whole("stage.users", PERSON, |_, _| expected::people()),
        check("agg.daily_sleeps", Day, &[], SLEEPS, |from, to| {
            expected::sleeps("day", from, to)
        }),
        check("agg.weekly_sleeps", Week, &[], SLEEPS, |from, to| {
            expected::sleeps("week", from, to)
        }),
        check("agg.monthly_sleeps", Month, &[], SLEEPS, |from, to| {
            expected::sleeps("month", from, to)
        }),
        check("agg.daily_summary", Day, BOTH, SUMMARY, |from, to| {
            expected::summary("day", from, to)
        }),
        check("agg.weekly_summary", Week, BOTH, SUMMARY, |from, to| {
            expected::summary("week", from, to)
        }),
        check("agg.monthly_summary", Month, BOTH, SUMMARY, |from, to| {
            expected::summary("month", from, to)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_1_slices_are_whole_periods_that_cover_the_days_without_a_gap() {
        for check in checks() {
            let days = 18_201..18_353;
            let slices = slices(&check, &days);
            assert!(slices[0].start <= days.start && slices[slices.len() - 1].end >= days.end);
            assert!(slices.windows(2).all(|pair| pair[0].end == pair[1].start));
            if check.bucket.is_some() {
                assert!(
                    slices
                        .iter()
                        .all(|slice| check.level.period(slice.start).start == slice.start)
                );
                assert!(
                    slices
                        .iter()
                        .all(|slice| check.level.period(slice.end - 1).end == slice.end)
                );
            }
        }
    }
}
