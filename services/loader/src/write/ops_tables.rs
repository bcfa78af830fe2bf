//! Writes accounting and dirty days in the rows' transaction.

use std::collections::BTreeSet;

use pulseline_sql::GenericClient;
use uuid::Uuid;

use crate::account::Account;
use crate::batch::DirtyDay;
use crate::document::SourceCollection;
use crate::error::LoaderError;

const ACCOUNTS: &str = "insert into ops.accounted_log (topic, generation, partition, from_offset, to_offset, kind) \
    select * from unnest($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[], $6::text[])";
const DAYS: &str = "insert into ops.dirty_days (stream, device_id, local_date) \
    select $1::text, d.device_id, date '1970-01-01' + d.day from unnest($2::uuid[], $3::int[]) as d(device_id, day)";
/// Appends to the log of accounted offsets; the compactor folds it (P1).
pub(super) async fn accounts(client: &impl GenericClient, accounts: &[Account]) -> Result<(), LoaderError> {
    if accounts.is_empty() {
        return Ok(());
    }
    let topics: Vec<&str> = accounts.iter().map(|account| account.topic.as_str()).collect();
    let incarnations: Vec<i32> = accounts.iter().map(|account| account.incarnation).collect();
    let partitions: Vec<i32> = accounts.iter().map(|account| account.partition).collect();
    let from: Vec<i64> = accounts.iter().map(|account| account.from).collect();
    let to: Vec<i64> = accounts.iter().map(|account| account.to).collect();
    let kinds: Vec<&str> = accounts.iter().map(|account| account.kind.name()).collect();
    client
        .execute(
            ACCOUNTS,
            &[&topics, &incarnations, &partitions, &from, &to, &kinds],
        )
        .await
        .map_err(LoaderError::statement("accounting offsets"))?;
    Ok(())
}

/// Marks days whose aggregates have to be refreshed (P6).
pub(super) async fn dirty_days(
    client: &impl GenericClient,
    source: SourceCollection,
    days: &BTreeSet<DirtyDay>,
) -> Result<(), LoaderError> {
    if days.is_empty() {
        return Ok(());
    }
    let devices: Vec<Uuid> = days.iter().map(|day| day.device_id).collect();
    let dates: Vec<i32> = days.iter().map(|day| day.local_date).collect();
    client
        .execute(DAYS, &[&source.name(), &devices, &dates])
        .await
        .map_err(LoaderError::statement("marking dirty days"))?;
    Ok(())
}
