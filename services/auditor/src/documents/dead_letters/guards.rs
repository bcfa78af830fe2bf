//! Dead letters about items of documents that are inside the guards: these items are rows, and no dead letters.

use std::collections::BTreeMap;

use bson::{RawDocument, doc};
use pulseline_clients::mongo::{Database, Find};
use pulseline_runtime::VERSION;
use pulseline_schemas::Stream;
use pulseline_schemas::dead_letter::Origin;
use pulseline_tombstones::Register;

use super::super::comparison;
use super::super::origins::{RELATION, owner_of};
use super::Kept;
use crate::error::AuditError;

/// Reasons that no document tells: the floor of retention when the reading came, and what the server said to a row.
const NOT_OF_THE_DOCUMENT: [&str; 2] = ["beyond_retention", "refused"];

/// Items by the id of their document.
type ItemsById = BTreeMap<String, Vec<i32>>;

/// True when only the item's guards can have made the dead letter. One that another version made rests on that version's
/// guards: it waits for a replay.
fn is_of_guards(row: &Kept) -> bool {
    row.item >= 0
        && !row.is_resolved
        && row.program_version == VERSION
        && !NOT_OF_THE_DOCUMENT.contains(&row.reason.as_str())
}

/// Reads the documents of these rows and judges the items. A document that is gone or cannot be read tells nothing.
pub(super) async fn compare(database: &Database, rows: &[Kept]) -> Result<Vec<String>, AuditError> {
    let mut by_stream: BTreeMap<&str, (Stream, ItemsById)> = BTreeMap::new();
    for row in rows.iter().filter(|row| is_of_guards(row)) {
        let Origin::Document { collection, id } = Origin::read(&row.origin) else {
            continue;
        };
        let Some(stream) = Stream::ALL
            .into_iter()
            .find(|stream| stream.collection() == collection)
        else {
            continue;
        };
        let (_, items) = by_stream
            .entry(stream.name())
            .or_insert_with(|| (stream, ItemsById::new()));
        items.entry(id.to_owned()).or_default().push(row.item);
    }
    let mut differences = Vec::new();
    for (stream, items) in by_stream.into_values() {
        differences.extend(compare_stream(database, stream, &items).await?);
    }
    Ok(differences)
}

async fn compare_stream(
    database: &Database,
    stream: Stream,
    items: &ItemsById,
) -> Result<Vec<String>, AuditError> {
    let ids: Vec<&String> = items.keys().collect();
    let collection = database.collection(stream.collection());
    let found = collection.find(doc! { "_id": { "$in": ids } }, Find::default());
    let mut cursor = found.await?;
    let mut differences = Vec::new();
    while let Some(batch) = cursor.next_batch().await? {
        for document in batch.documents()? {
            let Ok(id) = document.get_str("_id") else { continue };
            let wrong = wrong_items(stream, document, items.get(id).map_or(&[], Vec::as_slice));
            if wrong.is_empty() {
                continue;
            }
            // An erasure of days moves the items that it leaves in a document to other places.
            let owner = owner_of(stream, document);
            let tombstones = Register::of(database).read().await?;
            if owner.is_some_and(|owner| tombstones.hold(owner) || !tombstones.days_of(owner).is_empty()) {
                continue;
            }
            let name = stream.collection();
            let said = |(item, why)| format!("{RELATION} mongo:{name}/{id} item {item}: {why}");
            differences.extend(wrong.into_iter().map(said));
        }
    }
    Ok(differences)
}

/// The items that are no dead letters, each with the reason.
fn wrong_items(stream: Stream, document: &RawDocument, items: &[i32]) -> Vec<(i32, &'static str)> {
    let Ok(kept) = comparison(stream).kept_items(document) else {
        return Vec::new();
    };
    let judge = |item: &i32| {
        let place = usize::try_from(*item).unwrap_or(usize::MAX);
        match kept.get(place) {
            Some(true) => Some((*item, "its item is inside the guards")),
            Some(false) => None,
            None => Some((*item, "its document has no such item")),
        }
    };
    items.iter().filter_map(judge).collect()
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, rawdoc};

    use super::*;

    fn row(item: i32, reason: &str) -> Kept {
        Kept {
            origin: "mongo:heart_rates/a".into(),
            item,
            reason: reason.into(),
            program_version: VERSION.into(),
            is_resolved: false,
        }
    }

    #[test]
    fn only_an_open_dead_letter_that_this_version_made_of_an_item_rests_on_the_guards() {
        assert!(is_of_guards(&row(0, "out_of_range")) && is_of_guards(&row(3, "unmappable")));
        assert!(!is_of_guards(&row(-1, "unmappable")));
        assert!(!is_of_guards(&row(0, "beyond_retention")) && !is_of_guards(&row(0, "refused")));
        let resolved = Kept {
            is_resolved: true,
            ..row(0, "out_of_range")
        };
        let earlier = Kept {
            program_version: "0.0.0".into(),
            ..row(0, "out_of_range")
        };
        assert!(!is_of_guards(&resolved) && !is_of_guards(&earlier));
    }

    #[test]
    fn p_8_exactly_the_items_inside_the_guards_are_wrong() {
        let at = DateTime::from_millis(1_572_742_800_000);
        let late = DateTime::from_millis(1_572_742_800_000 + 2 * 86_400_000);
        let document = rawdoc! {
            "_id": "a", "synced_at": at, "utc_offset_minutes": 0,
            "metrics": [
                { "ts": at, "bpm": 60, "confidence": 3 }, { "ts": at, "bpm": 400 }, { "ts": late, "bpm": 60 },
                { "ts": at, "bpm": 60, "confidence": 9 },
            ],
        };
        let inside = "its item is inside the guards";
        let wrong = wrong_items(Stream::HeartRates, &document, &[0, 1, 2, 3, 4]);
        assert_eq!(wrong, [(0, inside), (4, "its document has no such item")]);
        let days = rawdoc! {
            "_id": "a", "synced_at": at, "utc_offset_minutes": 0,
            "metrics": [{ "local_date": "2019-11-01", "minutes": 5 }, { "local_date": "2019-11-01", "minutes": 5_000 }],
        };
        assert_eq!(
            wrong_items(Stream::ActivityMinutes, &days, &[0, 1]),
            [(0, inside)]
        );
        // A session has no items, and a document that cannot be read tells nothing.
        assert_eq!(wrong_items(Stream::Sleeps, &days, &[0]).len(), 1);
        assert!(wrong_items(Stream::HeartRates, &days, &[0]).is_empty());
    }
}
