//! Closes a plan that was carried out: its dirty days go, and what they leave behind is marked, in one transaction.

use pulseline_schemas::Stream;
use pulseline_sql::lease::Lease;
use pulseline_sql::{Client, GenericClient};

use crate::dirty::Dirty;
use crate::error::CompactorError;
use crate::facts::Sleep;
use crate::locks::keep;
use crate::plan::Plan;
use crate::{unsettled, user_days};

/// Before the ids are deleted: when each day was loaded last.
const LOADED: &str = "insert into ops.loaded_days as l (stream, local_date, loaded_at) \
    select stream, local_date, max(marked_at) from ops.dirty_days \
    where id = any($1) and stream = any($2) group by stream, local_date \
    on conflict (stream, local_date) do update set loaded_at = greatest(l.loaded_at, excluded.loaded_at)";
const DONE: &str = "delete from ops.dirty_days where id = any($1)";
const WAIT: &str = "insert into ops.waiting_days (stream, local_date) \
    select stream, date '1970-01-01' + day from unnest($1::text[], $2::int[]) as w(stream, day) \
    on conflict do nothing";
const CLOSED: &str = "delete from ops.waiting_days d using unnest($1::text[], $2::int[]) as w(stream, day) \
    where d.stream = w.stream and d.local_date = date '1970-01-01' + w.day";

/// Closes a completed plan: deletes exactly the ids that were read (P6), under the lease, so that it happens in the
/// warehouse that was refreshed.
pub(crate) async fn close(
    client: &mut Client,
    lease: &Lease,
    (dirty, plan, sleeps): (&[Dirty], &Plan, &[Sleep]),
) -> Result<(), CompactorError> {
    let failed = || CompactorError::sql("closing a cycle");
    let transaction = client.transaction().await.map_err(failed())?;
    keep(&transaction, lease).await?;
    for (statement, days) in [(WAIT, &plan.wait), (CLOSED, &plan.closed)] {
        if days.is_empty() {
            continue;
        }
        let streams: Vec<_> = days.iter().map(|waiting| waiting.stream.as_str()).collect();
        let days: Vec<_> = days.iter().map(|waiting| waiting.day).collect();
        transaction
            .execute(statement, &[&streams, &days])
            .await
            .map_err(failed())?;
    }
    unsettled::note(&transaction, plan).await?;
    user_days::mark(&transaction, dirty, plan, sleeps).await?;
    let readings: Vec<&str> = Stream::readings().map(|(stream, _)| stream.name()).collect();
    transaction
        .execute(LOADED, &[&plan.done, &readings])
        .await
        .map_err(failed())?;
    transaction.execute(DONE, &[&plan.done]).await.map_err(failed())?;
    transaction.commit().await.map_err(failed())
}
