//! Profiles: the newest version wins; a device belongs to the newest profile that names it.

use std::collections::BTreeMap;

use pulseline_sql::{GenericClient, Transaction};
use uuid::Uuid;

use super::copying::copy;
use super::transaction::Touched;
use crate::copy::CopyRows;
use crate::document::UserRow;
use crate::error::LoaderError;

const CREATE: &str = "create temporary table incoming_users (like raw.users) on commit drop; \
    create temporary table incoming_devices (like raw.devices) on commit drop";
const COPY_USERS: &str = "copy pg_temp.incoming_users (user_id, email, date_of_birth, gender, height_cm, \
    max_heart_rate, zone, created_at, synced_at, event_id, extra) from stdin (format binary)";
const COPY_DEVICES: &str = "copy pg_temp.incoming_devices (device_id, user_id, synced_at, event_id) \
    from stdin (format binary)";
const UPSERT_USERS: &str = "insert into raw.users as t (user_id, email, date_of_birth, gender, height_cm, \
    max_heart_rate, zone, created_at, synced_at, event_id, extra) \
    select user_id, email, date_of_birth, gender, height_cm, max_heart_rate, zone, created_at, synced_at, event_id, \
    extra from pg_temp.incoming_users order by user_id \
    on conflict (user_id) do update set email = excluded.email, date_of_birth = excluded.date_of_birth, \
    gender = excluded.gender, height_cm = excluded.height_cm, max_heart_rate = excluded.max_heart_rate, \
    zone = excluded.zone, created_at = excluded.created_at, synced_at = excluded.synced_at, \
    event_id = excluded.event_id, extra = excluded.extra \
    where (excluded.synced_at, excluded.event_id) >= (t.synced_at, t.event_id)";
const UPSERT_DEVICES: &str = "insert into raw.devices as t (device_id, user_id, synced_at, event_id) \
    select device_id, user_id, synced_at, event_id from pg_temp.incoming_devices order by device_id \
    on conflict (device_id) do update set user_id = excluded.user_id, synced_at = excluded.synced_at, \
    event_id = excluded.event_id where (excluded.synced_at, excluded.event_id) >= (t.synced_at, t.event_id)";

/// Writes the winning version of each profile, and of each device's owner.
pub(super) async fn apply(tx: &Transaction<'_>, users: &[UserRow]) -> Result<Touched, LoaderError> {
    tx.batch_execute(CREATE)
        .await
        .map_err(LoaderError::statement("making room for profiles"))?;
    let winners = newest(users.iter().map(|user| (user.user_id, user)));
    copy(
        tx,
        COPY_USERS,
        encode_users(&winners).finish(),
        "copying profiles",
    )
    .await?;
    let rows = tx
        .execute(UPSERT_USERS, &[])
        .await
        .map_err(LoaderError::statement("writing profiles"))?;
    // Owners come from every version, not only the winners: so it does not matter which versions share a batch.
    let owners = newest(
        users
            .iter()
            .flat_map(|user| user.devices.iter().map(move |device| (*device, user))),
    );
    // No aggregate is stored by person, so no day becomes dirty.
    let touched = Touched {
        rows,
        ..Touched::default()
    };
    if owners.is_empty() {
        return Ok(touched);
    }
    copy(
        tx,
        COPY_DEVICES,
        encode_devices(&owners).finish(),
        "copying devices",
    )
    .await?;
    tx.execute(UPSERT_DEVICES, &[])
        .await
        .map_err(LoaderError::statement("writing devices"))?;
    Ok(touched)
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
