//! The owner of figures: the device, or the person who wears it.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::oracle::Oracle;

/// Whose figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Device,
    User,
}

pub(super) const SCOPES: [Scope; 2] = [Scope::Device, Scope::User];

impl Scope {
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Device => "",
            Self::User => "user_",
        }
    }

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Device => "device_id",
            Self::User => "user_id",
        }
    }
}

/// Device → its owner; a device without a person has no owner.
pub(super) type Owners = BTreeMap<Uuid, Uuid>;

/// Every person's devices, by the newest profile that names each device.
pub(super) fn of(oracle: &Oracle, scope: Scope) -> Owners {
    if scope == Scope::Device {
        let devices = (oracle.heart_rates.keys().map(|key| key.device_id))
            .chain(oracle.steps.keys().map(|key| key.device_id))
            .chain(oracle.distances.keys().map(|key| key.device_id))
            .chain(oracle.calories.keys().map(|key| key.device_id))
            .chain(oracle.days.keys().map(|key| key.device_id))
            .chain(oracle.sleeps.keys().map(|(device, _)| *device))
            .chain(oracle.exercises.keys().map(|(device, _)| *device));
        return devices.map(|device| (device, device)).collect();
    }
    let mut users: Vec<_> = oracle.users.values().collect();
    users.sort_by_key(|user| (user.synced_at, user.event_id));
    let owned = users
        .iter()
        .flat_map(|user| user.devices.iter().map(|device| (*device, user.user_id)));
    owned.collect()
}
