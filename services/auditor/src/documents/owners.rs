//! Who owns a device when, recomputed from the profiles: raw.devices, raw.device_versions and raw.device_owners (P8, P17).
//! Written independently of the loader: it asks for each day that has a version who was the last on it.

use std::collections::{BTreeMap, BTreeSet};

use bson::RawDocument;
use pulseline_clients::mongo::Database;
use pulseline_schemas::Stream;
use pulseline_schemas::pages::Order;
use pulseline_sql::periods::DayNumber;
use pulseline_sql::{Client, GenericClient};
use pulseline_tombstones::{Days, Register, Tombstones};
use uuid::Uuid;

use super::checksum::day_of;
use super::pages;
use crate::error::AuditError;
use crate::warehouse::Loaded;

/// The relation under which `verify` lists the comparison.
pub(crate) const RELATION: &str = "raw.device_owners";
/// Each row as text, behind its table without the schema, which has another name in a warehouse that is being built.
const ROWS: &str = "select 'devices ' || device_id || ' ' || (extract(epoch from synced_at) * 1000)::bigint || ' ' \
        || event_id || ' ' || user_id from raw.devices \
    union all select 'device_versions ' || device_id || ' ' || (extract(epoch from synced_at) * 1000)::bigint || ' ' \
        || event_id || ' ' || user_id from raw.device_versions \
    union all select 'device_owners ' || device_id || ' ' \
        || case when from_day = '-infinity' then '-' else (from_day - date '1970-01-01')::text end || ' ' \
        || case when until_day = 'infinity' then '-' else (until_day - date '1970-01-01')::text end || ' ' \
        || user_id from raw.device_owners";

/// A version: when the profile was uploaded, its event, its person.
type Version = (i64, String, String);

/// Compares every row of the three tables.
pub(crate) async fn compare_owners(
    database: &Database,
    client: &mut Client,
) -> Result<Vec<String>, AuditError> {
    let snapshot = client.snapshot().await?;
    let loaded = Loaded::read(&snapshot, Stream::Users.topic()).await?;
    let rows = snapshot.query(ROWS, &[]).await?;
    snapshot.rollback().await?;
    let mut versions: BTreeMap<Uuid, BTreeSet<Version>> = BTreeMap::new();
    let take = |document: &RawDocument| {
        if loaded.holds(document) {
            read(document, &mut versions)?;
        }
        Ok(())
    };
    let collection = database.collection(Stream::Users.collection());
    pages::read(collection, pages::pages(Order::of(Stream::Users)), take).await?;
    let tombstones = Register::of(database).read().await?;
    let mut missing: BTreeSet<String> = versions
        .iter()
        .filter(|(device, _)| !tombstones.hold(**device))
        .flat_map(|(device, versions)| expected(*device, versions, &tombstones))
        .collect();
    let rows = rows.iter().map(|row| row.get::<_, String>(0));
    let mut differences: Vec<String> = rows
        .filter(|row| !missing.remove(row))
        .map(|row| format!("raw.{row}: MongoDB's profiles give no such row"))
        .collect();
    differences.extend(missing.into_iter().map(|row| format!("raw.{row}: missing")));
    Ok(differences)
}

fn read(document: &RawDocument, versions: &mut BTreeMap<Uuid, BTreeSet<Version>>) -> Result<(), AuditError> {
    let version = (
        document.get_datetime("synced_at")?.timestamp_millis(),
        document.get_str("_id")?.to_owned(),
        document.get_str("user_id")?.to_owned(),
    );
    for device in document.get_array("devices")? {
        let device = device?.as_str().and_then(|device| Uuid::parse_str(device).ok());
        let device = device.ok_or_else(|| AuditError::Unexpected("a profile's device is no id".into()))?;
        versions.entry(device).or_default().insert(version.clone());
    }
    Ok(())
}

/// The rows of a device.
fn expected(device: Uuid, versions: &BTreeSet<Version>, tombstones: &Tombstones) -> Vec<String> {
    let row = |table: &str, (synced_at, event, user): &Version| {
        format!("{table} {device} {synced_at} {event} {user}")
    };
    let all = versions.iter().map(|version| row("device_versions", version));
    let newest = versions.last().map(|version| row("devices", version));
    let bound = |day: DayNumber| match day {
        DayNumber::MIN | DayNumber::MAX => "-".to_owned(),
        day => day.to_string(),
    };
    let owners = owners(versions, tombstones.days_of(device)).into_iter();
    let owners = owners.map(|(user, days)| {
        let days = format!("{} {}", bound(days.start), bound(days.end));
        format!("device_owners {device} {days} {user}")
    });
    all.chain(newest).chain(owners).collect()
}

/// Owners with their days: of each day on which there is a version or an erasure begins or ends, the person who owns it
/// from then on.
fn owners<'a>(versions: &'a BTreeSet<Version>, erased: &[Days]) -> Vec<(&'a str, Days)> {
    let mut last_of: BTreeMap<DayNumber, &str> = BTreeMap::new();
    for (place, (synced_at, _, user)) in versions.iter().enumerate() {
        let day = if place == 0 {
            DayNumber::MIN
        } else {
            day_of(*synced_at)
        };
        last_of.insert(day, user);
    }
    let changes: BTreeSet<DayNumber> = last_of
        .keys()
        .copied()
        .chain(erased.iter().flat_map(|days| [days.start, days.end]))
        .filter(|day| *day != DayNumber::MAX)
        .collect();
    let mut owners: Vec<(&str, Days)> = Vec::new();
    for (day, next) in changes
        .iter()
        .zip(changes.iter().skip(1).chain([&DayNumber::MAX]))
    {
        let owner = last_of.range(..=day).next_back().map(|(_, user)| *user);
        let owner = owner.filter(|_| !erased.iter().any(|days| days.contains(day)));
        match (owner, owners.last_mut()) {
            (Some(owner), Some((before, days))) if *before == owner && days.end == *day => days.end = *next,
            (Some(owner), _) => owners.push((owner, *day..*next)),
            (None, _) => {}
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn versions(all: &[(i64, &str)]) -> BTreeSet<Version> {
        let version = |(event, (hours, user)): (u8, &(i64, &str))| {
            (hours * DAY_MS / 24, event.to_string(), (*user).to_owned())
        };
        (0..).zip(all).map(version).collect()
    }

    #[test]
    fn p_17_a_day_belongs_to_the_last_version_until_its_end_and_erased_days_to_nobody() {
        let (min, max) = (DayNumber::MIN, DayNumber::MAX);
        let first = min..2;
        let passed_on = versions(&[(0, "a"), (50, "b"), (60, "a"), (70, "b"), (100, "b")]);
        assert_eq!(owners(&passed_on, &[]), [("a", min..2), ("b", 2..max)]);
        assert_eq!(owners(&passed_on, from_ref(&first)), [("b", 2..max)]);
        assert_eq!(
            owners(&passed_on, &[3..5, 9..max]),
            [("a", min..2), ("b", 2..3), ("b", 5..9)]
        );
        let of_b = versions(&[(50, "b")]);
        assert_eq!(owners(&of_b, from_ref(&first)), [("b", 2..max)]);
        let back_on_one_day = versions(&[(25, "a"), (26, "b"), (27, "a")]);
        assert_eq!(owners(&back_on_one_day, &[]), [("a", min..max)]);
        assert_eq!(owners(&versions(&[]), from_ref(&first)), []);
    }
}
