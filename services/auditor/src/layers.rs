//! Stage and agg recomputed from raw by plain SQL, slice by slice, each in one snapshot.
//!
//! The SQL is written independently of the migrations: no time_bucket, other joins, other ways to the same figure. A relation
//! is recomputed from the relations below it, which are recomputed themselves: days from 15-minute buckets, these from raw.

use std::collections::BTreeSet;
use std::ops::Range;

use pulseline_schemas::Stream;
use pulseline_sql::periods::{DayNumber, Midnight, date_of};
use pulseline_sql::{Client, GenericClient, Transaction};
use tokio_postgres::types::ToSql;

use crate::error::AuditError;
use crate::stale::Stale;

mod check;
mod people;
mod periods;
mod readings;
mod sessions;
mod user_days;

pub(crate) use check::Check;

/// How many differing rows of a relation are shown.
const SHOWN_ROWS: usize = 5;
/// Days of people that are to be computed, and every day when a device changed hands.
const PEOPLE_PENDING: &str = "select local_date - date '1970-01-01' from ops.dirty_user_days \
    where local_date >= date '1970-01-01' + $1::int and local_date < date '1970-01-01' + $2::int \
    union select generate_series($1::int, $2::int - 1) where exists (select from ops.dirty_days where stream = 'users')";

/// The result of comparing a relation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compared {
    /// Rows that differ, as text; at most a few.
    pub(crate) differences: Vec<String>,
    /// Days that were left out because their refresh is pending.
    pub(crate) pending: usize,
    /// Days of devices whose stored figures differ; of a view none.
    pub(crate) stale: BTreeSet<Stale>,
}

/// Every check, in the order in which relations stand on each other.
pub(crate) fn checks() -> Vec<Check> {
    let mut checks = readings::checks();
    checks.extend(sessions::checks());
    checks.extend(people::devices());
    checks.extend(user_days::checks());
    checks.extend(periods::checks());
    checks.extend(people::checks());
    checks
}

/// Names of the relations that `verify` recomputes, each once.
#[must_use]
pub fn checked_relations() -> BTreeSet<String> {
    checks().into_iter().map(|check| check.relation).collect()
}

/// Checks of what the compactor stores; the other relations of stage and agg are views over it.
pub(crate) fn stored() -> Vec<Check> {
    checks().into_iter().filter(Check::is_stored).collect()
}

/// Compares one relation over `days`.
pub(crate) async fn compare(
    client: &mut Client,
    check: &Check,
    days: &Range<DayNumber>,
) -> Result<Compared, AuditError> {
    let mut compared = Compared::default();
    for slice in slices(check, days) {
        let snapshot = client.snapshot().await?;
        let pending = pending(&snapshot, check, &slice).await?;
        compared.pending += pending.len();
        let days = [Midnight(slice.start), Midnight(slice.end)];
        let found = sides(check, &pending);
        let sql = format!("{found} {}", difference());
        for row in snapshot.query(&sql, &values(check, &days)).await? {
            compared.differences.push(format!(
                "{} {}: {}",
                check.relation,
                row.get::<_, &str>(0),
                row.get::<_, &str>(1)
            ));
        }
        let differs = !compared.differences.is_empty();
        if let Some(mark) = check.recomputed_by().filter(|_| differs) {
            let rows = snapshot
                .query(&format!("{found} {}", stale(check.key())), &values(check, &days))
                .await?;
            compared.stale.extend(rows.iter().map(|row| Stale {
                mark,
                of: row.get(0),
                day: row.get(1),
            }));
        }
        snapshot.rollback().await?;
        compared.differences.truncate(SHOWN_ROWS);
        // Of what is stored, every wrong day is to be known.
        if compared.differences.len() == SHOWN_ROWS && check.recomputed_by().is_none() {
            break;
        }
    }
    Ok(compared)
}

/// The first and the last day of anything in raw or in the figures.
pub(crate) async fn extent(client: &Client) -> Result<Option<Range<DayNumber>>, AuditError> {
    let of_stream = |stream: Stream| {
        let at = stream.kind().day_column()?;
        let table = stream.raw_table();
        Some(format!(
            "select min({at})::date, max({at})::date from {table} union all "
        ))
    };
    let sql = format!(
        "select min(day) - date '1970-01-01', max(day) - date '1970-01-01' from ({} \
         select min(bucket)::date, max(bucket)::date from agg.daily_summary) as e(low, high), \
         lateral (values (low), (high)) as d(day)",
        Stream::ALL.into_iter().filter_map(of_stream).collect::<String>()
    );
    let row = client.query_one(&sql, &[]).await?;
    let (low, high): (Option<i32>, Option<i32>) = (row.get(0), row.get(1));
    Ok(low.zip(high).map(|(low, high)| low..high + 1))
}

/// The days of devices or people in which the sides differ.
fn stale(key: &str) -> String {
    format!(
        "select {key}, bucket::date - date '1970-01-01' from (table expected except all table found) x \
         union select {key}, bucket::date - date '1970-01-01' from (table found except all table expected) y"
    )
}

/// Whole periods of the check's level.
fn slices(check: &Check, days: &Range<DayNumber>) -> Vec<Range<DayNumber>> {
    let Some(length) = check.slice_days else {
        return vec![days.clone()];
    };
    let mut slices = Vec::new();
    let mut start = check.level.period(days.start).start;
    while start < days.end {
        // Never a whole slice of nothing behind the last day.
        let last = (start + length - 1).min(days.end.max(start + 1) - 1);
        let end = check.level.period(last).end;
        slices.push(start..end);
        start = end;
    }
    slices
}

/// Days in the slice whose refresh is pending in this very snapshot (P6).
async fn pending(
    snapshot: &Transaction<'_>,
    check: &Check,
    slice: &Range<DayNumber>,
) -> Result<BTreeSet<DayNumber>, AuditError> {
    let (streams, radius) = (check.streams(), check.unsure.1);
    if streams.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sql = "select distinct local_date - date '1970-01-01' from ops.dirty_days where stream = any($1)";
    let rows = snapshot.query(sql, &[&streams]).await?;
    let days = rows.iter().map(|row| row.get::<_, DayNumber>(0));
    let around = days.flat_map(|day| day.saturating_sub(radius)..=day + radius);
    let mut pending: BTreeSet<_> = around.filter(|day| slice.contains(day)).collect();
    if check.of_people {
        let rows = snapshot
            .query(PEOPLE_PENDING, &[&slice.start, &slice.end])
            .await?;
        pending.extend(rows.iter().map(|row| row.get::<_, DayNumber>(0)));
    }
    Ok(pending)
}

/// The parameters of a comparison: the days of the slice where there are slices, then the check's own.
fn values<'a>(check: &'a Check, days: &'a [Midnight; 2]) -> Vec<&'a (dyn ToSql + Sync)> {
    let days = days.iter().filter(|_| check.slice_days.is_some());
    let days = days.map(|day| day as &(dyn ToSql + Sync));
    let own = check.values.iter().map(|value| value as &(dyn ToSql + Sync));
    days.chain(own).collect()
}

/// Rows of one side that the other lacks, as many as are shown.
fn difference() -> String {
    format!(
        "(select 'should be', to_jsonb(x)::text from (table expected except all table found) x limit {SHOWN_ROWS}) union all \
         (select 'should not be', to_jsonb(x)::text from (table found except all table expected) x limit {SHOWN_ROWS})"
    )
}

/// What is expected and what is found, without pending days.
fn sides(check: &Check, pending: &BTreeSet<DayNumber>) -> String {
    let (relation, columns, expected) = (&check.relation, &check.columns, &check.expected);
    let mut kept = String::from("true");
    for day in pending {
        kept += &format!(
            " and not (bucket >= '{}' and bucket < '{}')",
            date_of(*day),
            date_of(day + 1)
        );
    }
    let found = match (&check.found, check.slice_days) {
        (Some(found), _) => found.clone(),
        (None, Some(_)) => format!("select {columns} from {relation} where bucket >= $1 and bucket < $2"),
        (None, None) => format!("select {columns} from {relation}"),
    };
    format!(
        "with expected as materialized (select {columns} from ({expected}) e where {kept}), \
         found as materialized (select {columns} from ({found}) f where {kept})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_1_slices_are_whole_periods_that_cover_the_days_without_a_gap() {
        for check in checks() {
            for days in [18_201..18_353, 18_201..18_202, 17_000..18_500] {
                let slices = slices(&check, &days);
                assert!(slices[0].start <= days.start && slices[slices.len() - 1].end >= days.end);
                assert!(slices.windows(2).all(|pair| pair[0].end == pair[1].start));
                if check.slice_days.is_some() {
                    assert!(slices.iter().all(|slice| {
                        check.level.period(slice.start).start == slice.start
                            && check.level.period(slice.end - 1).end == slice.end
                    }));
                }
            }
        }
    }

    #[test]
    fn a_comparison_has_the_parameters_that_it_is_given() {
        for check in checks() {
            let sql = sides(&check, &BTreeSet::from([18_202]));
            let given = values(&check, &[Midnight(18_201), Midnight(18_231)]).len();
            for number in 1..=9 {
                let is_named = sql.contains(&format!("${number}"));
                assert_eq!(is_named, number <= given, "{} {number}: {sql}", check.relation);
            }
        }
    }
}
