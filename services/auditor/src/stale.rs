//! Stored figures that differ from their readings: the compactor computes them anew.

use pulseline_sql::GenericClient;
use pulseline_sql::periods::DayNumber;
use uuid::Uuid;

use crate::error::AuditError;

const MARK: &str = "insert into ops.dirty_days (stream, device_id, local_date, is_forced) \
    select m.stream, m.device_id, date '1970-01-01' + m.day, true \
    from unnest($1::text[], $2::uuid[], $3::int[]) as m(stream, device_id, day)";

const MARK_USERS: &str = "insert into ops.dirty_user_days (user_id, local_date) \
    select m.user_id, date '1970-01-01' + m.day from unnest($1::uuid[], $2::int[]) as m(user_id, day) on conflict do nothing";

/// What the mark of a wrong day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A changed day of a device, of this stream.
    Stream(&'static str),
    /// A day of a person.
    UserDay,
}

/// A day of a device or person that has a wrong stored figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stale {
    /// How it is marked, so that its figures are computed anew.
    pub mark: Mark,
    /// The device, or the person.
    pub of: Uuid,
    /// The local day.
    pub day: DayNumber,
}

/// Whether this user may mark days: asked before the comparisons, which take long.
///
/// # Errors
/// [`AuditError::MayNotMark`]; what the warehouse says.
pub(crate) async fn may_mark(client: &impl GenericClient) -> Result<(), AuditError> {
    let may = "select has_table_privilege('ops.dirty_days', 'insert') and has_table_privilege('ops.dirty_user_days', 'insert')";
    if client.query_one(may, &[]).await?.get(0) {
        Ok(())
    } else {
        Err(AuditError::MayNotMark)
    }
}

/// Marks these days: the compactor computes their figures anew, though no reading of them has changed.
///
/// # Errors
/// What the warehouse says; a role that may not write `ops.dirty_days` and `ops.dirty_user_days`.
pub async fn mark_stale(client: &impl GenericClient, stale: &[Stale]) -> Result<(), AuditError> {
    if stale.is_empty() {
        return Ok(());
    }
    let (mut streams, mut devices, mut days) = (Vec::new(), Vec::new(), Vec::new());
    let (mut users, mut user_days) = (Vec::new(), Vec::new());
    for stale in stale {
        match stale.mark {
            Mark::Stream(stream) => {
                streams.push(stream);
                devices.push(stale.of);
                days.push(stale.day);
            }
            Mark::UserDay => {
                users.push(stale.of);
                user_days.push(stale.day);
            }
        }
    }
    client.execute(MARK, &[&streams, &devices, &days]).await?;
    client.execute(MARK_USERS, &[&users, &user_days]).await?;
    Ok(())
}
