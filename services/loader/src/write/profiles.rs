//! Profiles: the newest version wins; a device belongs to the newest profile that names it.

use std::collections::BTreeMap;

use pulseline_sql::{GenericClient, Transaction};
use uuid::Uuid;

use super::copying::{Incoming, copy};
use super::rows::Touched;
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

/// Writes the winning version of each profile, and of each device's owner.
pub(super) async fn apply(tx: &Transaction<'_>, users: &[UserRow]) -> Result<Touched, LoaderError> {
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
    // No aggregate is stored by person, so no day becomes dirty.
    let touched = Touched {
        rows,
        ..Touched::default()
    };
    if owners.is_empty() {
        return Ok(touched);
    }
    let owners = encode_devices(&owners).finish();
    copy(tx, &into_devices.copy, owners, "copying devices").await?;
    tx.execute(&into_devices.upsert, &[])
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
