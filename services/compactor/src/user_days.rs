//! Days of people, stored in `agg.stored_user_days` (P16): marked when a part of them changed, then computed anew.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Instant;

use pulseline_schemas::Stream;
use pulseline_sql::aggregates::{self, of_stored};
use pulseline_sql::lease::Lease;
use pulseline_sql::periods::{DayNumber, first_open_day};
use pulseline_sql::{Client, GenericClient, SqlError, Transaction, query};
use uuid::Uuid;

use crate::dirty::Dirty;
use crate::error::CompactorError;
use crate::facts::Sleep;
use crate::locks::{NO_ERASURE, keep};
use crate::metrics;
use crate::ops_tables::{self, NewEntry};
use crate::plan::Plan;

/// Longest span of days per statement.
const SLICE_DAYS: usize = 28;
/// Most days of people per statement, half a millisecond each.
const SLICE_USER_DAYS: usize = 4_096;

/// Of closed days and of open ones as many, so that neither waits for the other; the newest first. While a backlog is worked off
/// ($3), closed days that more changes wait for are left to these: otherwise each stream of a day would compute it.
const DUE: &str = "select user_id, local_date - date '1970-01-01' from ( \
        (select user_id, local_date from ( \
            select user_id, local_date from ops.dirty_user_days where local_date < date '1970-01-01' + $1::int \
            order by local_date desc limit 4 * $2::bigint) u \
            where not ($3 and exists (select from raw.device_owners o join ops.dirty_days d using (device_id) \
                where o.user_id = u.user_id and d.local_date between u.local_date - 1 and u.local_date + 1)) \
            order by local_date desc limit $2::bigint) \
        union all \
        (select user_id, local_date from ops.dirty_user_days where local_date >= date '1970-01-01' + $1::int \
            order by marked_at limit $2::bigint) \
    ) due";
const MARK: &str = query!("compactor/mark_user_days");
const MARK_OWNED: &str = query!("compactor/mark_owned_days");
const DELETE: &str = "delete from agg.stored_user_days where user_id = any($1) \
    and bucket >= date '1970-01-01' + $2::int and bucket < date '1970-01-01' + $3::int";
const INSERT: &str = "insert into agg.stored_user_days \
    select * from stage.compute_user_days($1, date '1970-01-01' + $2::int, date '1970-01-01' + $3::int)";
const DONE: &str = "delete from ops.dirty_user_days where user_id = any($1) \
    and local_date >= date '1970-01-01' + $2::int and local_date < date '1970-01-01' + $3::int";

/// Days of some people to compute in one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Slice {
    users: BTreeSet<Uuid>,
    days: Range<DayNumber>,
}

impl Slice {
    fn user_days(&self) -> usize {
        self.users.len() * self.days.len()
    }
}

/// What one cycle computed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Computed {
    pub(crate) user_days: usize,
    /// True when more were due than one cycle takes.
    pub(crate) more: bool,
}

/// Marks the days of people that the plan's changes have a part in, in the transaction that deletes the changes' ids.
pub(crate) async fn mark(
    transaction: &Transaction<'_>,
    dirty: &[Dirty],
    plan: &Plan,
    sleeps: &[Sleep],
) -> Result<(), CompactorError> {
    let failed = || CompactorError::sql("marking days of people");
    let devices: Vec<Uuid> = sleeps.iter().map(Sleep::device).collect();
    let days: Vec<DayNumber> = sleeps.iter().map(Sleep::ends_on).collect();
    transaction.batch_execute(NO_ERASURE).await.map_err(failed())?;
    transaction
        .execute(MARK, &[&plan.done, &devices, &days])
        .await
        .map_err(failed())?;
    let is_of_owner = |row: &Dirty| row.stream == Stream::Users.name();
    if dirty.iter().any(is_of_owner) {
        let marked = owned_marks(transaction)
            .await
            .map_err(CompactorError::sql("marking days of people"))?;
        transaction
            .execute(&marked, &[&plan.done])
            .await
            .map_err(failed())?;
    }
    Ok(())
}

/// [`MARK_OWNED`] over stored rows.
async fn owned_marks(client: &impl GenericClient) -> Result<String, SqlError> {
    let days: Vec<_> = Stream::readings().map(|(_, readings)| readings.days).collect();
    Ok(of_stored(MARK_OWNED, &aggregates::read(client, &days).await?))
}

/// How many days of people are marked.
pub(crate) async fn marked(client: &Client) -> Result<usize, CompactorError> {
    let row = client
        .query_one("select count(*) from ops.dirty_user_days", &[])
        .await;
    let count: i64 = row
        .map_err(CompactorError::sql("counting days of people to compute"))?
        .get(0);
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Computes marked days of people, at most `limit` of those that have ended and as many of those that have not.
pub(crate) async fn compute(
    client: &mut Client,
    lease: &Lease,
    now_utc_millis: i64,
    (limit, has_backlog): (i64, bool),
) -> Result<Computed, CompactorError> {
    let failed = || CompactorError::sql("looking for days of people to compute");
    let open_from = first_open_day(now_utc_millis);
    client
        .execute(query!("compactor/open_days"), &[&open_from])
        .await
        .map_err(CompactorError::sql("noting the first open day"))?;
    let rows = client
        .query(DUE, &[&open_from, &limit, &has_backlog])
        .await
        .map_err(failed())?;
    let mut due: BTreeMap<DayNumber, BTreeSet<Uuid>> = BTreeMap::new();
    for row in &rows {
        due.entry(row.get(1)).or_default().insert(row.get(0));
    }
    let mut computed = Computed::default();
    for slice in slices(due) {
        let began = Instant::now();
        store(client, lease, &slice).await?;
        computed.user_days += slice.user_days();
        let entry = NewEntry {
            task: "user_days",
            relation: "agg.stored_user_days",
            days: slice.days.clone(),
            reason: match slice.users.len() {
                1 => "days of 1 person changed".to_owned(),
                people => format!("days of {people} people changed"),
            },
            rows: i64::try_from(slice.user_days()).unwrap_or(i64::MAX),
        };
        ops_tables::journal(client, &entry, began.elapsed()).await?;
        metrics::record_user_days(slice.user_days(), began.elapsed());
    }
    let closed = rows
        .iter()
        .filter(|row| row.get::<_, DayNumber>(1) < open_from)
        .count();
    computed.more = i64::try_from(closed).is_ok_and(|closed| closed >= limit);
    Ok(computed)
}

/// One statement for all days of the slice's people, whichever of them are marked. It is kept only if this compactor still holds
/// the lease at its end.
async fn store(client: &mut Client, lease: &Lease, slice: &Slice) -> Result<(), CompactorError> {
    let failed = || CompactorError::sql("computing days of people");
    let users: Vec<Uuid> = slice.users.iter().copied().collect();
    let transaction = client.transaction().await.map_err(failed())?;
    transaction.batch_execute(NO_ERASURE).await.map_err(failed())?;
    for statement in [DELETE, INSERT, DONE] {
        transaction
            .execute(statement, &[&users, &slice.days.start, &slice.days.end])
            .await
            .map_err(failed())?;
    }
    keep(&transaction, lease).await?;
    transaction.commit().await.map_err(failed())
}

/// Joins adjacent days while at least half of what they compute is due, the newest first.
fn slices(due: BTreeMap<DayNumber, BTreeSet<Uuid>>) -> Vec<Slice> {
    let mut slices: Vec<Slice> = Vec::new();
    let mut pairs = 0;
    for (day, users) in due.into_iter().rev() {
        if let Some(last) = slices.last_mut() {
            let joined: BTreeSet<Uuid> = last.users.union(&users).copied().collect();
            let user_days = joined.len() * (last.days.len() + 1);
            let is_near = last.days.start == day + 1 && last.days.len() < SLICE_DAYS;
            if is_near && user_days <= SLICE_USER_DAYS && user_days <= 2 * (pairs + users.len()) {
                pairs += users.len();
                *last = Slice {
                    users: joined,
                    days: day..last.days.end,
                };
                continue;
            }
        }
        let users: Vec<Uuid> = users.into_iter().collect();
        for users in users.chunks(SLICE_USER_DAYS) {
            pairs = users.len();
            slices.push(Slice {
                users: users.iter().copied().collect(),
                days: day..day + 1,
            });
        }
    }
    slices
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set};
    use proptest::prelude::*;

    use super::*;
    use crate::facts::tests::{Cost, DEVICE, Warehouse};

    /// What chunks a statement reads for the marks of changed owners.
    async fn cost(warehouse: &Warehouse, statement: &str) -> anyhow::Result<Cost> {
        let ids = "select array_agg(id) from ops.dirty_days where stream = 'users'";
        let ids: Vec<i64> = warehouse.client.query_one(ids, &[]).await?.get(0);
        let explain = format!("explain (analyze, costs off, timing off) {statement}");
        let plan = warehouse.client.query(&explain, &[&ids]).await?;
        let mut cost = Cost::default();
        let _none = cost.add(plan.iter().map(|row| row.get(0)));
        Ok(cost)
    }

    /// Real-time aggregation would compute all days of a device that was loaded a moment ago, for each of its profiles.
    #[tokio::test]
    async fn on_timescale_p_17_a_profile_costs_stored_days_and_no_readings() -> anyhow::Result<()> {
        let warehouse = Warehouse::start("owned").await?;
        let (days, client) = (8, &warehouse.client);
        warehouse.load(days).await?;
        let owned = format!(
            "insert into raw.device_versions (device_id, synced_at, event_id, user_id) values ('{DEVICE}', now(), '{DEVICE}', '{DEVICE}'); \
            insert into ops.dirty_days (stream, device_id, local_date) values ('users', '{DEVICE}', '1970-01-01')"
        );
        client.batch_execute(&owned).await?;
        let marks = owned_marks(client).await?;
        let marked = "select count(*) from ops.dirty_user_days where local_date <= '2019-11-06'";
        anyhow::ensure!(cost(&warehouse, &marks).await?.rows == 0);
        let nothing_stored = warehouse.count(marked).await?;
        let readings = 72 * u64::try_from(days)?;
        anyhow::ensure!(cost(&warehouse, MARK_OWNED).await?.rows >= readings);
        client.batch_execute("delete from ops.dirty_user_days").await?;
        for aggregate in ["stage.heart_rates_15m", "agg.heart_rates_1d"] {
            let refresh = format!("call refresh_continuous_aggregate('{aggregate}', null, null)");
            client.batch_execute(&refresh).await?;
        }
        let stored = cost(&warehouse, &marks).await?.rows;
        anyhow::ensure!((1..readings / 4).contains(&stored), "{stored}");
        // The device's days, and two before the first.
        let all = warehouse.count(marked).await?;
        anyhow::ensure!(
            all >= i64::from(days) + 2 && all > nothing_stored,
            "{nothing_stored}, then {all}"
        );
        warehouse.stack.stop().await?;
        Ok(())
    }

    fn users(of: impl IntoIterator<Item = u128>) -> BTreeSet<Uuid> {
        of.into_iter().map(Uuid::from_u128).collect()
    }

    #[test]
    fn p_16_a_history_is_computed_in_few_statements_and_scattered_days_alone() {
        let history: BTreeMap<_, _> = (0..60).map(|day| (day, users([1]))).collect();
        let lengths: Vec<_> = slices(history).iter().map(|slice| slice.days.clone()).collect();
        assert_eq!(lengths, [32..60, 4..32, 0..4]);
        let scattered = BTreeMap::from([
            (1, users([1])),
            (2, users([2])),
            (3, users([3, 4])),
            (9, users([1])),
        ]);
        let slices = slices(scattered);
        assert_eq!(slices.len(), 3);
        assert_eq!(slices[1].days, 2..4);
    }

    proptest! {
        #[test]
        fn p_16_each_marked_day_is_computed_once_and_at_most_as_many_others(
            due in btree_map(0..80_i32, btree_set(1..40_u128, 1..30), 0..40)
        ) {
            let due: BTreeMap<_, _> = due.into_iter().map(|(day, of)| (day, users(of))).collect();
            let marked: usize = due.values().map(BTreeSet::len).sum();
            let slices = slices(due.clone());
            let mut seen = BTreeSet::new();
            for slice in &slices {
                for day in slice.days.clone() {
                    for user in &slice.users {
                        prop_assert!(seen.insert((day, *user)));
                    }
                }
            }
            prop_assert!(due.iter().all(|(day, of)| of.iter().all(|user| seen.contains(&(*day, *user)))));
            prop_assert!(seen.len() <= 2 * marked);
        }
    }
}
