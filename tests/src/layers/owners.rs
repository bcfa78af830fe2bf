//! The owner of figures: the device, or the person who wears it.

use std::collections::BTreeMap;

use pulseline_schemas::time::DAY_MS;
use pulseline_sql::periods::DayNumber;
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

/// Versions of profiles that name a device: the day of each, and its person; in the order in which they count.
type Versions = Vec<(DayNumber, Uuid)>;

/// Who owns a device on which day; a device that no profile names has no owner.
#[derive(Clone, Debug)]
pub(super) enum Owners {
    /// Each device owns itself.
    Devices,
    People(BTreeMap<Uuid, Versions>),
}

impl Owners {
    /// The person of the last version until the end of that day, in UTC; before the first one, its person.
    pub(super) fn on(&self, device: Uuid, day: DayNumber) -> Option<Uuid> {
        let versions = match self {
            Self::Devices => return Some(device),
            Self::People(versions) => versions.get(&device)?,
        };
        let mut until = versions.iter().filter(|(from, _)| *from <= day);
        let last = until.next_back().or(versions.first());
        last.map(|(_, user)| *user)
    }
}

/// The owners of every device, from all versions of profiles.
pub(super) fn of(oracle: &Oracle, scope: Scope) -> Owners {
    if scope == Scope::Device {
        return Owners::Devices;
    }
    let mut versions: BTreeMap<Uuid, Versions> = BTreeMap::new();
    for ((synced_at, _), user) in &oracle.profiles {
        for device in &user.devices {
            let of_device = versions.entry(*device).or_default();
            of_device.push((day_of(*synced_at), user.user_id));
        }
    }
    Owners::People(versions)
}

/// The calendar day of a time in milliseconds.
pub(super) fn day_of(millis: i64) -> DayNumber {
    DayNumber::try_from(millis.div_euclid(DAY_MS)).unwrap_or(DayNumber::MAX)
}
