//! Days that were patched: their figures are right, and the server still holds them as changed (P15). It keeps a note of each
//! late upload until a refresh covers it, and the next refresh of any window reads all of them; so a refresh settles them,
//! one day a cycle, once they have rested. Nobody waits for it: it takes only time that the compactor has saved up.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use pulseline_schemas::Stream;
use pulseline_sql::floor::floor;
use pulseline_sql::lease::Lease;
use pulseline_sql::periods::DayNumber;
use pulseline_sql::{Client, GenericClient, Transaction};

use crate::config::CompactorConfig;
use crate::error::CompactorError;
use crate::locks::keep;
use crate::metrics;
use crate::ops_tables::{self, NewEntry};
use crate::plan::{Plan, Refresh};
use crate::refresh::refresh;

/// Days of a compactor that always has something to do are settled after so many times the usual rest.
const BUSY_FACTOR: f64 = 24.0;

const NOTE: &str = "insert into ops.unsettled_days (stream, local_date) \
    select stream, date '1970-01-01' + day from unnest($1::text[], $2::int[]) as w(stream, day) on conflict do nothing";
const REFRESHED: &str = "delete from ops.unsettled_days d using unnest($1::text[], $2::int[]) as w(stream, day) \
    where d.stream = w.stream and d.local_date = date '1970-01-01' + w.day";
/// How many there are, and the one that has rested longest.
const RESTED: &str = "select count, stream, day from (select count(*) as count from ops.unsettled_days) c \
    left join lateral (select stream, local_date - date '1970-01-01' as day from ops.unsettled_days \
        where patched_at < clock_timestamp() - $1::double precision * interval '1 second' order by patched_at limit 1) d on true";
/// Readings below the floor are deleted: no refresh reaches there.
const BELOW: &str = "delete from ops.unsettled_days where local_date < date '1970-01-01' + $1::int";

const SETTLING: &str = "settling a patched day";

/// Notes the days that a plan patched, and forgets those that it refreshed for everybody; in the transaction that closes it.
pub(crate) async fn note(transaction: &Transaction<'_>, plan: &Plan) -> Result<(), CompactorError> {
    let patched = plan.patches.iter().map(|patch| (patch.stream, &patch.days));
    let refreshed = plan.refreshes.iter().map(|window| (window.stream, &window.days));
    for (statement, days) in [(NOTE, days_of(patched)), (REFRESHED, days_of(refreshed))] {
        if days.is_empty() {
            continue;
        }
        let (streams, days): (Vec<&str>, Vec<DayNumber>) = days.into_iter().unzip();
        let noted = transaction.execute(statement, &[&streams, &days]).await;
        noted.map_err(CompactorError::sql("noting patched days"))?;
    }
    Ok(())
}

fn days_of<'a>(
    windows: impl Iterator<Item = (&'static str, &'a Range<DayNumber>)>,
) -> BTreeSet<(&'static str, DayNumber)> {
    windows
        .flat_map(|(stream, days)| days.clone().map(move |day| (stream, day)))
        .collect()
}

/// How long a day rests before it is settled, in seconds.
fn rest_seconds(config: &CompactorConfig, is_quiet: bool) -> f64 {
    let usual = config.settle_after().as_secs_f64();
    if is_quiet { usual } else { usual * BUSY_FACTOR }
}

/// What a cycle settled, and what it found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settled {
    pub(crate) days: usize,
    pub(crate) left: usize,
}

/// How many days there are, and the one that has rested longest.
pub(crate) async fn rested(
    client: &Client,
    config: &CompactorConfig,
    is_quiet: bool,
) -> Result<(usize, Option<(String, DayNumber)>), CompactorError> {
    let row = client.query_one(RESTED, &[&rest_seconds(config, is_quiet)]).await;
    let row = row.map_err(CompactorError::sql(SETTLING))?;
    let (count, stream, day): (i64, Option<String>, Option<DayNumber>) = (row.get(0), row.get(1), row.get(2));
    Ok((usize::try_from(count).unwrap_or_default(), stream.zip(day)))
}

/// Settles the day that has rested longest.
pub(crate) async fn settle(
    client: &mut Client,
    lease: &Lease,
    config: &CompactorConfig,
    is_quiet: bool,
) -> Result<Settled, CompactorError> {
    let failed = || CompactorError::sql(SETTLING);
    let (left, rested) = rested(client, config, is_quiet).await?;
    let mut settled = Settled { days: 0, left };
    let Some((stream, day)) = rested else {
        return Ok(settled);
    };
    let floor = floor(client).await.map_err(CompactorError::sql(SETTLING))?;
    if let Some(floor) = floor.filter(|floor| day < *floor) {
        client.execute(BELOW, &[&floor]).await.map_err(failed())?;
        return Ok(settled);
    }
    for window in windows(&stream, day) {
        keep(client, lease).await?;
        let began = Instant::now();
        refresh(client, &window).await?;
        ops_tables::journal(client, &entry(window), began.elapsed()).await?;
        metrics::record_settled(began.elapsed());
    }
    let transaction = client.transaction().await.map_err(failed())?;
    keep(&transaction, lease).await?;
    let forgotten = transaction.execute(REFRESHED, &[&vec![stream], &vec![day]]).await;
    forgotten.map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    settled.days = 1;
    settled.left -= 1;
    Ok(settled)
}

fn entry(window: Refresh) -> NewEntry<'static> {
    NewEntry {
        task: "settle",
        relation: window.relation,
        days: window.days,
        reason: "patched, and still held as changed".to_owned(),
        rows: 1,
    }
}

/// The 15 minutes first: days are computed from them.
fn windows(stream: &str, day: DayNumber) -> Vec<Refresh> {
    let found = Stream::readings().find(|(of, _)| of.name() == stream);
    let relations = found.map(|(of, readings)| (of.name(), [readings.quarters, readings.days]));
    let windows = relations.into_iter().flat_map(|(stream, relations)| {
        relations.map(|relation| Refresh {
            stream,
            relation,
            days: day..day + 1,
        })
    });
    windows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_15_a_day_is_settled_by_its_quarters_and_then_itself() {
        let windows = windows("steps", 18_206);
        let relations: Vec<_> = windows.iter().map(|window| window.relation).collect();
        assert_eq!(relations, ["stage.steps_15m", "agg.steps_1d"]);
        assert!(windows.iter().all(|window| window.days == (18_206..18_207)));
        assert!(super::windows("sleeps", 18_206).is_empty());
    }

    #[test]
    fn p_15_a_busy_compactor_lets_days_rest_longer_and_not_for_ever() {
        let config = CompactorConfig {
            settle_after_ms: 60_000,
            ..CompactorConfig::default()
        };
        assert!((rest_seconds(&config, true) - 60.0).abs() < 1e-9);
        assert!((rest_seconds(&config, false) - 1_440.0).abs() < 1e-9);
    }
}
