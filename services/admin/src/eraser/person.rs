//! Finds a person's devices.

use std::collections::BTreeSet;

use bson::doc;
use pulseline_clients::mongo::{Database, Find};
use pulseline_schemas::Stream;
use pulseline_sql::{Client, GenericClient};
use pulseline_tombstones::Register;
use serde::Serialize;
use uuid::Uuid;

use crate::eraser::error::EraserError;

const OWNED: &str = "select device_id from raw.devices where user_id = $1";
const OTHERS: &str = "select device_id from raw.devices where device_id = any($1) and user_id <> $2";

/// A person and their devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The person.
    pub user: Uuid,
    /// Their devices.
    pub devices: Vec<Uuid>,
    /// Former devices that belong to another person now: these stay, with all their data.
    pub passed_on: Vec<Uuid>,
}

impl Person {
    /// The ids of the person and of the devices.
    pub(crate) fn ids(&self) -> Vec<Uuid> {
        [self.user]
            .into_iter()
            .chain(self.devices.iter().copied())
            .collect()
    }

    /// The same as text, as in documents and message keys.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.ids().iter().map(|id| id.hyphenated().to_string()).collect()
    }
}

/// Looks a person up: profiles in MongoDB, devices in the warehouse, and devices named by the operator.
pub(crate) async fn find(
    database: &Database,
    client: &Client,
    user: Uuid,
    named: &[Uuid],
) -> Result<Person, EraserError> {
    let mut devices: BTreeSet<Uuid> = named.iter().copied().collect();
    for row in client.query(OWNED, &[&user]).await? {
        devices.insert(row.get(0));
    }
    let profiles = database.collection(Stream::Users.collection());
    let of_person = doc! { "user_id": user.hyphenated().to_string() };
    let profiles = profiles.find(of_person, Find::default()).await?.all().await?;
    let is_known = !(devices.is_empty() && profiles.is_empty());
    for profile in &profiles {
        let listed = profile.get_array("devices").into_iter().flatten().flatten();
        devices.extend(
            listed
                .filter_map(|device| device.as_str())
                .filter_map(|device| Uuid::parse_str(device).ok()),
        );
    }
    // A finished erasure can be proved again: the hash identifies the person, the devices have to be named.
    if !is_known && !Register::of(database).read().await?.hold(user) {
        return Err(EraserError::Unknown { user });
    }
    let listed: Vec<Uuid> = devices.iter().copied().collect();
    let rows = client.query(OTHERS, &[&listed, &user]).await?;
    let passed_on: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    devices.retain(|device| !passed_on.contains(device));
    Ok(Person {
        user,
        devices: devices.into_iter().collect(),
        passed_on,
    })
}
