//! The warehouse's list of erased people, and of the erased days of devices that were passed on: hashes, whose key is in
//! MongoDB (P13, P17).

use std::ops::Range;

use crate::client::{Client, GenericClient, Transaction};
use crate::error::SqlError;
use crate::periods::DayNumber;

const HASHES: &str = "select tombstone from ops.forgotten";
/// Days without a bound are the least and the greatest number.
const DAYS: &str = "select tombstone, \
    case when from_day = '-infinity' then -2147483648 else from_day - date '1970-01-01' end, \
    case when until_day = 'infinity' then 2147483647 else until_day - date '1970-01-01' end from ops.forgotten_days";
/// Waits for writers of rows: what they wrote can be deleted, and later writers see the list.
const SEIZE: &str = "lock table ops.forgotten in access exclusive mode";
const ADD: &str = "insert into ops.forgotten (tombstone) select unnest($1::bytea[]) on conflict do nothing";
const ADD_DAYS: &str = "insert into ops.forgotten_days (tombstone, from_day, until_day) \
    select d.tombstone, case d.first when -2147483648 then '-infinity' else date '1970-01-01' + d.first end, \
        case d.until when 2147483647 then 'infinity' else date '1970-01-01' + d.until end \
    from unnest($1::bytea[], $2::int[], $3::int[]) as d(tombstone, first, until) on conflict do nothing";

/// A device's hash and its erased days. `DayNumber::MIN` and `DayNumber::MAX` stand for no bound.
pub type ErasedDays = (Vec<u8>, Range<DayNumber>);

/// Whose data is not loaded any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Hashes of people and of their devices.
    pub hashes: Vec<Vec<u8>>,
    /// Days of devices that belong to another person on other days.
    pub days: Vec<ErasedDays>,
}

/// The whole list.
///
/// # Errors
/// What the server says.
pub async fn read(client: &impl GenericClient) -> Result<Forgotten, SqlError> {
    let hashes = client.query(HASHES, &[]).await?;
    let days = client.query(DAYS, &[]).await?;
    Ok(Forgotten {
        hashes: hashes.iter().map(|row| row.get(0)).collect(),
        days: days
            .iter()
            .map(|row| (row.get(0), row.get(1)..row.get(2)))
            .collect(),
    })
}

/// Adds to the list, once no writer is active; later writers see it.
///
/// # Errors
/// What the server says.
pub async fn add(transaction: &Transaction<'_>, more: &Forgotten) -> Result<(), SqlError> {
    transaction.batch_execute(SEIZE).await?;
    transaction.execute(ADD, &[&more.hashes]).await?;
    if more.days.is_empty() {
        return Ok(());
    }
    let devices: Vec<&[u8]> = more.days.iter().map(|(device, _)| device.as_slice()).collect();
    let from: Vec<DayNumber> = more.days.iter().map(|(_, days)| days.start).collect();
    let until: Vec<DayNumber> = more.days.iter().map(|(_, days)| days.end).collect();
    transaction.execute(ADD_DAYS, &[&devices, &from, &until]).await?;
    Ok(())
}

/// Waits until the transactions of loaders and compactors that run now have ended: later ones see what is deleted already.
///
/// # Errors
/// What the server says.
pub async fn outlast_writers(client: &mut Client) -> Result<(), SqlError> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(SEIZE).await?;
    transaction.commit().await?;
    Ok(())
}
