//! Profiles: the newest version wins. A device belongs to the person of each version from that version's day on (P17).

use std::collections::{BTreeMap, BTreeSet};

use pulseline_sql::{GenericClient, Transaction, query};
use pulseline_tombstones::Days;
use uuid::Uuid;

use super::copying::{Incoming, copy};
use super::rows::Touched;
use crate::batch::DirtyDay;
use crate::copy::CopyRows;
use crate::document::UserRow;
use crate::error::LoaderError;

const USERS: [&str; 11] = [
    "user_id",
    "email",
    "date_of_birth",
    "gender",
    "height_cm",
    "max_heart_rate",
    "zone",
    "created_at",
    "synced_at",
    "event_id",
    "extra",
];
const DEVICES: [&str; 4] = ["device_id", "user_id", "synced_at", "event_id"];
/// A profile may name a device twice. A damaged row is repaired.
const VERSIONS: &str = "insert into raw.device_versions as v (device_id, synced_at, event_id, user_id) \
    select distinct n.device_id, timestamptz 'epoch' + n.synced_at * interval '1 millisecond', n.event_id, n.user_id \
    from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[]) as n(device_id, synced_at, event_id, user_id) \
    on conflict (device_id, synced_at, event_id) do update set user_id = excluded.user_id where v.user_id <> excluded.user_id";

/// Writes the winning version of each profile, every version for each device that it names, and who owned these devices
/// when; `erased` days belong to no person. Where an owner changes, the first day of the change becomes dirty.
pub(super) async fn apply(
    tx: &Transaction<'_>,
    users: &[UserRow],
    erased: &[(Uuid, Days)],
) -> Result<Touched, LoaderError> {
    let into_users = Incoming::new("raw.users", "incoming_users", &USERS, 1);
    let into_devices = Incoming::new("raw.devices", "incoming_devices", &DEVICES, 1);
    tx.batch_execute(&format!("{}; {}", into_users.create, into_devices.create))
        .await
        .map_err(LoaderError::statement("making room for profiles"))?;
    let winners = encode_users(&newest(users.iter().map(|user| (user.user_id, user))));
    copy(tx, &into_users.copy, winners.finish(), "copying profiles").await?;
    let rows = tx
        .execute(&into_users.upsert, &[])
        .await
        .map_err(LoaderError::statement("writing profiles"))?;
    // Owners come from every version, not only the winners: so it does not matter which versions share a batch.
    let owners = newest(
        users
            .iter()
            .flat_map(|user| user.devices.iter().map(move |device| (*device, user))),
    );
    let mut touched = Touched {
        rows,
        ..Touched::default()
    };
    if owners.is_empty() {
        return Ok(touched);
    }
    let devices: Vec<Uuid> = owners.keys().copied().collect();
    let owners = encode_devices(&owners).finish();
    copy(tx, &into_devices.copy, owners, "copying devices").await?;
    // In the order of devices, and it locks the rows that it does not change too: of two loaders that name the same device, the
    // second one sees the versions of the first.
    tx.execute(&into_devices.upsert, &[])
        .await
        .map_err(LoaderError::statement("writing devices"))?;
    write_versions(tx, users).await?;
    touched.days = replace_owners(tx, &devices, erased).await?;
    Ok(touched)
}

async fn write_versions(tx: &Transaction<'_>, users: &[UserRow]) -> Result<(), LoaderError> {
    let named = users
        .iter()
        .flat_map(|user| user.devices.iter().map(move |device| (*device, user)));
    let (mut devices, mut owners) = (Vec::new(), Vec::new());
    let (mut synced, mut events) = (Vec::new(), Vec::new());
    for (device, user) in named {
        devices.push(device);
        owners.push(user.user_id);
        synced.push(user.synced_at);
        events.push(user.event_id);
    }
    tx.execute(VERSIONS, &[&devices, &synced, &events, &owners])
        .await
        .map_err(LoaderError::statement("writing the versions that name a device"))?;
    Ok(())
}

/// Returns the first day of each change.
async fn replace_owners(
    tx: &Transaction<'_>,
    devices: &[Uuid],
    erased: &[(Uuid, Days)],
) -> Result<BTreeSet<DirtyDay>, LoaderError> {
    let of: Vec<Uuid> = erased.iter().map(|(device, _)| *device).collect();
    let from: Vec<i32> = erased.iter().map(|(_, days)| days.start).collect();
    let until: Vec<i32> = erased.iter().map(|(_, days)| days.end).collect();
    let changed = tx
        .query(query!("loader/replace_owners"), &[&devices, &of, &from, &until])
        .await
        .map_err(LoaderError::statement("writing the owners of devices"))?;
    let days = changed.iter().map(|row| DirtyDay {
        device_id: row.get(0),
        local_date: row.get(1),
    });
    Ok(days.collect())
}

fn newest<'a>(versions: impl Iterator<Item = (Uuid, &'a UserRow)>) -> BTreeMap<Uuid, &'a UserRow> {
    let mut newest: BTreeMap<Uuid, &UserRow> = BTreeMap::new();
    for (key, user) in versions {
        let winner = newest.entry(key).or_insert(user);
        if (user.synced_at, user.event_id) >= (winner.synced_at, winner.event_id) {
            *winner = user;
        }
    }
    newest
}

fn encode_users(users: &BTreeMap<Uuid, &UserRow>) -> CopyRows {
    let mut copy = CopyRows::with_capacity(users.len(), 256);
    for user in users.values() {
        copy.row(11)
            .uuid(user.user_id)
            .optional(user.email.as_deref(), CopyRows::text);
        copy.optional(user.date_of_birth, CopyRows::date)
            .optional(user.gender.as_deref(), CopyRows::text);
        copy.optional(user.height_cm, CopyRows::int2)
            .optional(user.max_heart_rate, CopyRows::int2);
        copy.optional(user.zone.as_deref(), CopyRows::text)
            .millis(user.created_at)
            .millis(user.synced_at);
        copy.uuid(user.event_id)
            .optional(user.extra.as_deref(), CopyRows::jsonb);
    }
    copy
}

fn encode_devices(owners: &BTreeMap<Uuid, &UserRow>) -> CopyRows {
    let mut copy = CopyRows::with_capacity(owners.len(), 72);
    for (device_id, user) in owners {
        copy.row(4)
            .uuid(*device_id)
            .uuid(user.user_id)
            .millis(user.synced_at)
            .uuid(user.event_id);
    }
    copy
}
