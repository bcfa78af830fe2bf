//! Finds a person's devices.

use std::collections::BTreeSet;

use bson::doc;
use pulseline_clients::mongo::{Database, Find};
use pulseline_schemas::Stream;
use pulseline_sql::periods::{DayNumber, date_of};
use pulseline_sql::{Client, GenericClient};
use pulseline_tombstones::{Days, Register};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::eraser::error::EraserError;
use crate::eraser::owners;

const OWNED: &str = "select device_id from raw.devices where user_id = $1 \
    union select device_id from raw.device_versions where user_id = $1";

/// A person and their devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The person.
    pub user: Uuid,
    /// Their devices, which belong to no other person.
    pub devices: Vec<Uuid>,
    /// Devices that belong to another person on other days: only the data of the person's days is erased.
    pub passed_on: Vec<PassedOn>,
}

/// A device that belongs to a person on some days, and to another person on others (P17).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOn {
    /// The device.
    pub device: Uuid,
    /// The person's days; none when they never owned it for a whole day.
    #[serde(serialize_with = "as_dates")]
    pub days: Vec<Days>,
}

/// Data of a person: all of some devices, or some days of them.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) devices: Vec<Uuid>,
    /// None: all days.
    pub(crate) days: Option<Vec<Days>>,
}

impl Person {
    /// The ids of the person and of the devices that belong to no other person.
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

    /// The days of devices that belong to another person on other days.
    pub(crate) fn days(&self) -> Vec<(Uuid, Days)> {
        let of_device = |passed_on: &PassedOn| {
            let device = passed_on.device;
            passed_on.days.clone().into_iter().map(move |days| (device, days))
        };
        self.passed_on.iter().flat_map(of_device).collect()
    }

    /// All data of the person's devices, part by part.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        let whole = Scope {
            devices: self.devices.clone(),
            days: None,
        };
        [whole].into_iter().chain(self.scopes_of_days()).collect()
    }

    /// The parts that are only some days of a device.
    pub(crate) fn scopes_of_days(&self) -> impl Iterator<Item = Scope> {
        let with_days = self
            .passed_on
            .iter()
            .filter(|passed_on| !passed_on.days.is_empty());
        with_days.map(|passed_on| Scope {
            devices: vec![passed_on.device],
            days: Some(passed_on.days.clone()),
        })
    }
}

/// First day and last day, where they are bounded.
fn as_dates<S: Serializer>(days: &[Days], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Dates {
        from: Option<String>,
        until: Option<String>,
    }
    serializer.collect_seq(days.iter().map(|days| Dates {
        from: (days.start != DayNumber::MIN).then(|| date_of(days.start).to_string()),
        until: (days.end != DayNumber::MAX).then(|| date_of(days.end).to_string()),
    }))
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
    devices.extend(profiles.iter().flat_map(|profile| owners::devices_of(profile)));
    let tombstones = Register::of(database).read().await?;
    // A finished erasure can be proved again: the hash identifies the person, the devices have to be named.
    if !is_known && !tombstones.hold(user) {
        return Err(EraserError::Unknown { user });
    }
    let listed: Vec<Uuid> = devices.into_iter().collect();
    let mut versions = owners::versions(database, client, &listed).await?;
    let mut person = Person {
        user,
        devices: Vec::new(),
        passed_on: Vec::new(),
    };
    for device in listed {
        let spans = owners::spans(&versions.remove(&device).unwrap_or_default());
        let (own, others): (Vec<_>, Vec<_>) = spans.into_iter().partition(|(owner, _)| *owner == user);
        if others.is_empty() {
            person.devices.push(device);
            continue;
        }
        // Days that an erasure covers already may be the person's: they are searched again.
        let known = tombstones.days_of(device).iter().cloned();
        let mut days: Vec<Days> = own.into_iter().map(|(_, days)| days).chain(known).collect();
        days.sort_unstable_by_key(|days| (days.start, days.end));
        days.dedup();
        person.passed_on.push(PassedOn { device, days });
    }
    Ok(person)
}
