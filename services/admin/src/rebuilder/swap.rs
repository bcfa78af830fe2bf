//! The swap: one transaction that blocks all writers, carries over what only the old warehouse has, and swaps the names.
//!
//! Each writer of rows or ops tables locks one of these tables for its transaction, so its transaction lies
//! wholly before or wholly after the swap. The loader continues under its lease: its checkpoints are now the new
//! warehouse's, which it notices by their number (D-2). The compactor loses its lease, and with it its plan for the old one.

use std::time::{Duration, Instant};

use pulseline_runtime::retry::{Class, Classify};
use pulseline_sql::{
    Client, GenericClient, Schemas, SqlError, functions, installed_version, query, required_version,
};

use crate::rebuilder::connection::open;
use crate::rebuilder::error::RebuilderError;
use crate::rebuilder::settings::{POLL, Rebuilder};

/// In the order in which writers take them.
const LOCKED: [&str; 11] = [
    "floors",
    "forgotten",
    "leases",
    "dirty_days",
    "dead_letters",
    "accounted_log",
    "checkpoints",
    "accounted",
    "waiting_days",
    "loaded_days",
    "backfills",
];
/// A waiting lock request blocks all later ones.
const SHORT_LOCK_TIMEOUT: &str = "set local lock_timeout = '2s'";
/// What only the old warehouse has.
const CARRY: [&str; 10] = [
    "update next_ops.settings n set min_group = o.min_group from ops.settings o",
    "insert into next_ops.forgotten (tombstone, erased_at) select tombstone, erased_at from ops.forgotten on conflict do nothing",
    "insert into next_ops.forgotten_days (tombstone, from_day, until_day, erased_at) \
        select tombstone, from_day, until_day, erased_at from ops.forgotten_days on conflict do nothing",
    "insert into next_ops.floors select * from ops.floors on conflict do nothing",
    "update next_ops.dead_letters n set resolved_at = o.resolved_at, resolution = o.resolution, why = o.why \
        from ops.dead_letters o where (o.origin, o.item) = (n.origin, n.item) and o.resolved_at is not null",
    // A dead letter about a whole document that is loaded now.
    "update next_ops.dead_letters l set resolved_at = clock_timestamp(), resolution = 'replayed', why = 'loaded by a rebuild' \
        from next_ops.accounted_offsets a where l.resolved_at is null and l.item = -1 and l.origin like 'mongo:%' \
            and (a.topic, a.generation, a.partition) = (l.topic, l.generation, l.partition) \
            and a.offsets - a.dead @> l.\"offset\"",
    "insert into next_ops.backfills select * from ops.backfills on conflict do nothing",
    "delete from next_ops.leases",
    // The compactor's lease expires at once, under another owner.
    "insert into next_ops.leases (name, owner, epoch, expires_at) select name, \
        case name when 'compactor' then gen_random_uuid() else owner end, \
        epoch + case name when 'compactor' then 1 else 0 end, \
        case name when 'compactor' then '-infinity' else expires_at end \
        from ops.leases",
    "update next_ops.checkpoints n set epoch = o.epoch, seq = greatest(n.seq, o.seq) + 1 \
        from ops.checkpoints o where (o.collection, o.shard) = (n.collection, n.shard)",
];

/// Swaps as soon as the new warehouse lacks nothing of the old one; false when told to stop before.
pub(crate) async fn swap(rebuilder: &Rebuilder) -> Result<bool, RebuilderError> {
    let mut client = open(rebuilder).await?;
    let mut logged_at = Instant::now();
    while !rebuilder.shutdown().is_stopping() {
        match attempt(&mut client).await {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(error) if error.is_locked() => {
                tracing::debug!(%error, "a writer holds its locks for long: trying again")
            }
            // After a commit whose answer was lost, the names are swapped already.
            Err(error) if error.class() == Class::Transient => {
                client = open(rebuilder).await?;
                if Schemas::old().are_there(&client).await? {
                    return Ok(true);
                }
            }
            Err(error) => return Err(error),
        }
        if logged_at.elapsed() > Duration::from_secs(30) {
            logged_at = Instant::now();
            tracing::info!("not swapped yet: the new warehouse still lacks data of the old one");
        }
        rebuilder.shutdown().sleep(POLL / 4).await;
    }
    Ok(false)
}

async fn attempt(client: &mut Client) -> Result<bool, RebuilderError> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(SHORT_LOCK_TIMEOUT).await?;
    for prefix in [Schemas::default(), Schemas::next()] {
        let tables: Vec<String> = LOCKED
            .iter()
            .map(|table| format!("{}ops.{table}", prefix.prefix()))
            .collect();
        let lock = format!("lock table {} in access exclusive mode", tables.join(", "));
        transaction.batch_execute(&lock).await?;
    }
    // Another program may have migrated the warehouse in use meanwhile.
    let (installed, required) = (installed_version(&transaction).await?, required_version());
    if installed > required {
        return Err(SqlError::TooNew { installed, required }.into());
    }
    let lacking = transaction.query_one(query!("rebuilder/lacking"), &[]).await?;
    if lacking.get::<_, i64>(0) > 0 {
        return Ok(false);
    }
    for statement in CARRY {
        transaction.batch_execute(statement).await?;
    }
    transaction.batch_execute(&rename()).await?;
    // The bodies of these name the schemas.
    functions::create(&transaction, &Schemas::default()).await?;
    if installed >= functions::SINCE {
        functions::create(&transaction, &Schemas::old()).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// The public journal of migrations stays where it is; both say the same.
fn rename() -> String {
    let (current, next, old) = (Schemas::default(), Schemas::next(), Schemas::old());
    let mut statements: Vec<String> = Vec::new();
    for (from, to) in [(&current, &old), (&next, &current)] {
        let names = from.names().into_iter().zip(to.names());
        statements.extend(names.map(|(from, to)| format!("alter schema {from} rename to {to}")));
    }
    let journal = old.journal().replace("public.", "");
    statements.push(format!("alter table {} rename to {journal}", next.journal()));
    statements.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exchanged_old_ones_first() {
        let statements = rename();
        let statements: Vec<&str> = statements.split("; ").collect();
        assert_eq!(statements.first(), Some(&"alter schema raw rename to old_raw"));
        assert_eq!(statements.get(4), Some(&"alter schema next_raw rename to raw"));
        assert_eq!(
            statements.last(),
            Some(&"alter table public.next_pulseline_migrations rename to old_pulseline_migrations")
        );
    }
}
