//! Patches: changed days of few devices, written anew for these devices alone (P15). A refresh knows time and not devices, so
//! that one late upload would cost its day of everybody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use pulseline_schemas::{Readings, Stream};
use pulseline_sql::aggregates::{self, Aggregate};
use pulseline_sql::lease::Lease;
use pulseline_sql::periods::{DayNumber, Level};
use pulseline_sql::{Client, SqlError};
use uuid::Uuid;

use crate::dirty::{Dirty, Waiting};
use crate::error::CompactorError;
use crate::locks::{keep, may_try_again};

/// A day is patched while at least so many devices have rows of it for each one that changed: a patch computes whole days, a refresh
/// only what changed of them, for everybody.
const DEVICES_PER_CHANGED: usize = 4;

const PATCHING: &str = "patching continuous aggregates";

/// The devices that changed on a closed day of a stream.
pub(crate) type Changed = BTreeMap<(&'static str, DayNumber), BTreeSet<Uuid>>;

/// Days of some devices to write anew in both relations of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) stream: &'static str,
    /// 15 minutes, days.
    pub(crate) relations: [&'static str; 2],
    pub(crate) devices: BTreeSet<Uuid>,
    pub(crate) days: Range<DayNumber>,
}

impl Patch {
    pub(crate) fn device_days(&self) -> usize {
        self.devices.len() * self.days.len()
    }
}

/// Which devices changed on which closed days. A day that has just closed is left out, and one that changed for nobody in
/// particular: these are refreshed for everybody.
pub(crate) fn changed(dirty: &[Dirty], waiting: &[Waiting], now_utc_millis: i64) -> Changed {
    let mut changed = Changed::new();
    for (stream, _) in Stream::readings() {
        let stream = stream.name();
        let just_closed = waiting
            .iter()
            .filter(|row| row.stream == stream)
            .map(|row| row.day);
        let of_nobody = dirty
            .iter()
            .filter(|row| row.stream == stream && row.device.is_none());
        let of_all: BTreeSet<DayNumber> = just_closed.chain(of_nobody.map(|row| row.day)).collect();
        for row in dirty.iter().filter(|row| row.stream == stream) {
            let Some(device) = row.device else { continue };
            if !Level::Day.is_open(row.day, now_utc_millis) && !of_all.contains(&row.day) {
                changed.entry((stream, row.day)).or_default().insert(device);
            }
        }
    }
    changed
}

/// What to patch of the days of a stream that a cycle takes: days in `few`, and whatever else changed, days of devices whose figures
/// differ from their readings, which a refresh does not see.
pub(crate) fn patched(
    stream: &'static str,
    taken: &BTreeSet<DayNumber>,
    dirty: &[Dirty],
    few: &Changed,
) -> BTreeMap<DayNumber, BTreeSet<Uuid>> {
    let of_few = few.iter().filter(|((of, _), _)| *of == stream);
    let of_few = of_few.flat_map(|((_, day), devices)| devices.iter().map(|device| (*day, *device)));
    let forced = dirty.iter().filter(|row| row.is_forced && row.stream == stream);
    let forced = forced.filter_map(|row| Some((row.day, row.device?)));
    let mut patched: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (day, device) in of_few.chain(forced).filter(|(day, _)| taken.contains(day)) {
        patched.entry(day).or_default().insert(device);
    }
    patched
}

/// Continuous aggregates by their names.
pub(crate) type Aggregates = HashMap<&'static str, Aggregate>;

/// The continuous aggregates of all streams, if there is anything that may be patched.
pub(crate) async fn aggregates(
    client: &Client,
    dirty: &[Dirty],
    changed: &Changed,
) -> Result<Aggregates, CompactorError> {
    if changed.is_empty() && !dirty.iter().any(|row| row.is_forced) {
        return Ok(Aggregates::new());
    }
    let relations = Stream::readings().flat_map(|(_, readings)| [readings.quarters, readings.days]);
    let found = aggregates::read(client, &relations.collect::<Vec<_>>()).await;
    found.map_err(CompactorError::sql(
        "reading the definitions of continuous aggregates",
    ))
}

/// Keeps the days on which few devices changed, among those that have rows.
pub(crate) async fn few(
    client: &Client,
    aggregates: &Aggregates,
    changed: Changed,
) -> Result<Changed, CompactorError> {
    let mut few = BTreeSet::new();
    for (stream, readings) in Stream::readings() {
        let of_stream = changed.range((stream.name(), DayNumber::MIN)..=(stream.name(), DayNumber::MAX));
        let asked: Vec<_> = of_stream
            .map(|((_, day), devices)| (*day, least_stored(devices.len())))
            .collect();
        if asked.is_empty() {
            continue;
        }
        let stored = found(aggregates, readings.days)?.holding(client, &asked).await;
        let stored = stored.map_err(CompactorError::sql(
            "looking for days on which few devices changed",
        ))?;
        few.extend(stored.into_iter().map(|day| (stream.name(), day)));
    }
    Ok(changed.into_iter().filter(|(of, _)| few.contains(of)).collect())
}

fn least_stored(changed: usize) -> i64 {
    i64::try_from(changed.saturating_mul(DEVICES_PER_CHANGED)).unwrap_or(i64::MAX)
}

/// Patches of a stream's days, newest first. Adjacent days of the same devices are one patch, up to a number of days.
pub(crate) fn patches(
    stream: &'static str,
    readings: Readings,
    patched: &BTreeMap<DayNumber, BTreeSet<Uuid>>,
    most: usize,
) -> Vec<Patch> {
    let mut patches: Vec<Patch> = Vec::new();
    for (day, devices) in patched {
        match patches.last_mut() {
            Some(last) if last.days.end == *day && last.days.len() < most && last.devices == *devices => {
                last.days.end = day + 1;
            }
            _ => patches.push(Patch {
                stream,
                relations: [readings.quarters, readings.days],
                devices: devices.clone(),
                days: *day..day + 1,
            }),
        }
    }
    patches.reverse();
    patches
}

/// Applies patches, each in a transaction that is kept only if this compactor still holds the lease.
pub(crate) async fn apply(
    client: &mut Client,
    lease: &Lease,
    aggregates: &Aggregates,
    patches: &[Patch],
) -> Result<(), CompactorError> {
    for patch in patches {
        for attempt in 1.. {
            match apply_one(client, lease, aggregates, patch).await {
                Ok(()) => break,
                Err(CompactorError::Sql {
                    source: SqlError::Postgres(error),
                    ..
                }) if may_try_again(error.code(), attempt, patch.relations[0]).await => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

async fn apply_one(
    client: &mut Client,
    lease: &Lease,
    aggregates: &Aggregates,
    patch: &Patch,
) -> Result<(), CompactorError> {
    let [quarters, days] = patch.relations;
    let stacked = [found(aggregates, quarters)?, found(aggregates, days)?];
    let transaction = client
        .transaction()
        .await
        .map_err(CompactorError::sql(PATCHING))?;
    let patched = aggregates::patch(&transaction, &stacked, &patch.devices, &patch.days).await;
    patched.map_err(CompactorError::sql(PATCHING))?;
    keep(&transaction, lease).await?;
    transaction.commit().await.map_err(CompactorError::sql(PATCHING))
}

fn found<'a>(aggregates: &'a Aggregates, relation: &'static str) -> Result<&'a Aggregate, CompactorError> {
    let missing = || SqlError::NotAnAggregate(relation.to_owned());
    let found = aggregates.get(relation).ok_or_else(missing);
    found.map_err(CompactorError::sql(
        "reading the definition of a continuous aggregate",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 20_000 * 86_400_000;

    fn row(device: Option<u128>, stream: &str, day: DayNumber) -> Dirty {
        Dirty {
            id: 1,
            stream: stream.to_owned(),
            device: device.map(Uuid::from_u128),
            day,
            is_forced: false,
        }
    }

    fn devices(of: &[u128]) -> BTreeSet<Uuid> {
        of.iter().copied().map(Uuid::from_u128).collect()
    }

    #[test]
    fn p_15_closed_days_are_changed_by_their_devices_and_others_by_everybody() {
        let dirty = [
            row(Some(1), "steps", 18_206),
            row(Some(2), "steps", 18_206),
            row(Some(2), "steps", 18_206),
            row(Some(1), "calories", 18_206),
            // For nobody in particular, just closed, still open, no readings.
            row(Some(1), "steps", 18_207),
            row(None, "steps", 18_207),
            row(Some(1), "steps", 18_208),
            row(Some(1), "steps", 20_000),
            row(Some(1), "sleeps", 18_206),
        ];
        let waiting = [Waiting {
            stream: "steps".to_owned(),
            day: 18_208,
        }];
        let expected = [
            (("calories", 18_206), devices(&[1])),
            (("steps", 18_206), devices(&[1, 2])),
        ];
        assert_eq!(changed(&dirty, &waiting, NOW), BTreeMap::from(expected));
    }

    #[test]
    fn p_15_adjacent_days_of_the_same_devices_are_one_patch() {
        let (stream, readings) = Stream::readings()
            .find(|(stream, _)| stream.name() == "steps")
            .unwrap();
        let of = [
            (18_206, [1, 2].as_slice()),
            (18_207, &[1]),
            (18_208, &[1]),
            (18_209, &[1]),
            (18_211, &[1]),
        ];
        let patched = BTreeMap::from(of.map(|(day, of)| (day, devices(of))));
        let found = patches(stream.name(), readings, &patched, 2);
        let found: Vec<_> = found
            .iter()
            .map(|patch| (patch.days.clone(), patch.devices.len()))
            .collect();
        assert_eq!(
            found,
            [
                (18_211..18_212, 1),
                (18_209..18_210, 1),
                (18_207..18_209, 1),
                (18_206..18_207, 2)
            ]
        );
    }
}
