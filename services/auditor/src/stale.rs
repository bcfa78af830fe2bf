//! Stored figures that differ from their readings: the compactor computes them anew.

use pulseline_sql::GenericClient;
use pulseline_sql::periods::DayNumber;
use uuid::Uuid;

use crate::error::AuditError;

const MARK: &str = "insert into ops.dirty_days (stream, device_id, local_date, is_forced) \
    select m.stream, m.device_id, date '1970-01-01' + m.day, true \
    from unnest($1::text[], $2::uuid[], $3::int[]) as m(stream, device_id, day)";

/// A device's day that has a wrong stored figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stale {
    /// The stream whose figures are computed anew.
    pub stream: &'static str,
    /// The device.
    pub device: Uuid,
    /// The local day.
    pub day: DayNumber,
}

/// Whether this user may mark days: asked before the comparisons, which take long.
///
/// # Errors
/// [`AuditError::MayNotMark`]; what the warehouse says.
pub(crate) async fn may_mark(client: &impl GenericClient) -> Result<(), AuditError> {
    let may = "select has_table_privilege('ops.dirty_days', 'insert')";
    if client.query_one(may, &[]).await?.get(0) {
        Ok(())
    } else {
        Err(AuditError::MayNotMark)
    }
}

/// Marks these days: the compactor computes their figures anew, though no reading of them has changed.
///
/// # Errors
/// What the warehouse says; a role that may not write `ops.dirty_days`.
pub async fn mark_stale(client: &impl GenericClient, stale: &[Stale]) -> Result<(), AuditError> {
    if stale.is_empty() {
        return Ok(());
    }
    let streams: Vec<&str> = stale.iter().map(|stale| stale.stream).collect();
    let devices: Vec<Uuid> = stale.iter().map(|stale| stale.device).collect();
    let days: Vec<DayNumber> = stale.iter().map(|stale| stale.day).collect();
    client.execute(MARK, &[&streams, &devices, &days]).await?;
    Ok(())
}
