//! Who owned a device on which days, from the versions of profiles (P17): those in MongoDB, and those that the warehouse knows.
//! So a device is told apart whose profiles are not all loaded.

use std::collections::BTreeMap;

use bson::{RawDocument, doc};
use pulseline_clients::mongo::{Database, Find};
use pulseline_schemas::Stream;
use pulseline_schemas::time::DAY_MS;
use pulseline_sql::{Client, GenericClient};
use pulseline_tombstones::Days;
use uuid::Uuid;

use crate::eraser::error::EraserError;

const LOADED: &str = "select device_id, (extract(epoch from synced_at) * 1000)::bigint, event_id, user_id \
    from raw.device_versions where device_id = any($1)";

/// 2007-01-01 and 10000-01-01, as the loader bounds them.
const EARLIEST_MILLIS: i64 = 1_167_609_600_000;
const LATEST_MILLIS: i64 = 253_402_300_800_000;

/// A device's versions in their order: when one was uploaded and its event, then its person.
pub(super) type Versions = BTreeMap<(i64, Uuid), Uuid>;

/// The versions that name these devices.
pub(super) async fn versions(
    database: &Database,
    client: &Client,
    devices: &[Uuid],
) -> Result<BTreeMap<Uuid, Versions>, EraserError> {
    let mut found: BTreeMap<Uuid, Versions> = BTreeMap::new();
    for row in client.query(LOADED, &[&devices]).await? {
        let version = (row.get(1), row.get(2));
        found.entry(row.get(0)).or_default().insert(version, row.get(3));
    }
    let texts: Vec<String> = devices.iter().map(Uuid::to_string).collect();
    let profiles = database.collection(Stream::Users.collection());
    let naming = doc! { "devices": { "$in": texts } };
    for profile in profiles.find(naming, Find::default()).await?.all().await? {
        let Some((version, user)) = version(&profile) else {
            continue;
        };
        for device in devices_of(&profile).filter(|device| devices.contains(device)) {
            found.entry(device).or_default().insert(version, user);
        }
    }
    Ok(found)
}

/// The devices that a profile names.
pub(super) fn devices_of(profile: &RawDocument) -> impl Iterator<Item = Uuid> {
    let listed = profile.get_array("devices").into_iter().flatten().flatten();
    listed.filter_map(|device| Uuid::parse_str(device.as_str()?).ok())
}

fn version(profile: &RawDocument) -> Option<((i64, Uuid), Uuid)> {
    let id = |field| Uuid::parse_str(profile.get_str(field).ok()?).ok();
    let synced_at = profile.get_datetime("synced_at").ok()?.timestamp_millis();
    // The loader refuses others: they are no version.
    let synced_at = Some(synced_at).filter(|at| (EARLIEST_MILLIS..LATEST_MILLIS).contains(at))?;
    Some(((synced_at, id("_id")?), id("user_id")?))
}

/// Each owner's days: a day belongs to the person of the last version until its end in UTC, days before the first version
/// to that one's person.
pub(super) fn spans(versions: &Versions) -> Vec<(Uuid, Days)> {
    let mut spans: Vec<(Uuid, Days)> = Vec::new();
    for ((synced_at, _), user) in versions {
        let day = i32::try_from(synced_at.div_euclid(DAY_MS)).unwrap_or(i32::MAX);
        match spans.last_mut() {
            Some((owner, _)) if owner == user => {}
            Some((owner, last)) if last.start == day => {
                *owner = *user;
                join_last(&mut spans);
            }
            Some((_, last)) => {
                last.end = day;
                spans.push((*user, day..i32::MAX));
            }
            None => spans.push((*user, i32::MIN..i32::MAX)),
        }
    }
    spans
}

/// Makes one of the last two where they are of one person.
fn join_last(spans: &mut Vec<(Uuid, Days)>) {
    if let [.., (before, _), (owner, _)] = spans.as_slice()
        && before == owner
    {
        spans.pop();
        if let Some((_, last)) = spans.last_mut() {
            last.end = i32::MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn p_17_every_day_belongs_to_the_person_of_the_last_version_until_its_end(
            versions in prop::collection::vec((0..20_i64, 0..3_u128), 1..12)
        ) {
            let versions: Versions = (0_u128..)
                .zip(&versions)
                .map(|(event, (hours, user))| {
                    ((hours * 8 * 3_600_000, Uuid::from_u128(event)), Uuid::from_u128(*user))
                })
                .collect();
            let spans = spans(&versions);
            for day in -2_i32..9 {
                let until = (i64::from(day) + 1) * DAY_MS;
                let last = versions.iter().rfind(|((synced_at, _), _)| *synced_at < until);
                let expected = last.or_else(|| versions.iter().next()).map(|(_, user)| *user);
                let owners: Vec<_> = spans.iter().filter(|(_, days)| days.contains(&day)).collect();
                prop_assert_eq!(owners.len(), 1);
                prop_assert_eq!(owners.first().map(|(user, _)| *user), expected);
            }
            prop_assert!(spans.windows(2).all(|two| two[0].0 != two[1].0 && two[0].1.end == two[1].1.start));
        }
    }
}
