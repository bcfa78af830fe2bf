//! Decides which documents of a page may go. Pure.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use bson::RawDocument;
use pulseline_schemas::{Origin, Position};
use pulseline_sql::documents::DocumentOffsets;

/// A document or a receipt that is old enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Old {
    pub(super) id: String,
    pub(super) at: DocumentOffsets,
}

impl Old {
    /// Reads its id and its offsets; none of a document that the sink did not write, which stays.
    pub(super) fn read(document: &RawDocument) -> Option<Self> {
        let id = document.get_str("_id").ok()?.to_owned();
        let position = Position::of_document(document).ok()?;
        let kafka = document.get_document("kafka").ok()?;
        // A receipt holds a range, whose last offset belongs to it.
        let last = kafka.get_i64("last_offset").unwrap_or(position.offset);
        let after = last.checked_add(1).filter(|after| *after > position.offset)?;
        Some(Self {
            id,
            at: DocumentOffsets {
                topic: position.topic,
                incarnation: position.incarnation,
                partition: position.partition,
                offsets: position.offset..after,
            },
        })
    }

    /// The text by which dead letters name it.
    pub(super) fn origin(&self, collection: &str) -> String {
        let id = &self.id;
        Origin::Document { collection, id }.to_string()
    }
}

/// Ordered ranges that do not touch, by incarnation and partition.
type Partitions = HashMap<(i32, i32), Vec<Range<i64>>>;

/// Offsets that are accounted for, by topic.
#[derive(Debug, Default)]
pub(super) struct Accounted(HashMap<String, Partitions>);

impl Accounted {
    /// Adds a range after those of its partition that were added before.
    pub(super) fn add(&mut self, at: DocumentOffsets) {
        let partitions = self.0.entry(at.topic).or_default();
        partitions
            .entry((at.incarnation, at.partition))
            .or_default()
            .push(at.offsets);
    }

    fn hold(&self, at: &DocumentOffsets) -> bool {
        let ranges = self.0.get(&at.topic);
        let Some(ranges) = ranges.and_then(|partitions| partitions.get(&(at.incarnation, at.partition)))
        else {
            return false;
        };
        let after = ranges.partition_point(|range| range.start <= at.offsets.start);
        after > 0 && at.offsets.end <= ranges[after - 1].end
    }
}

/// Those that may go: accounted for, and without a dead letter that would load them again when it is replayed.
pub(super) fn removable<'a>(
    page: &'a [Old],
    collection: &str,
    accounted: &Accounted,
    unresolved: &HashSet<String>,
) -> Vec<&'a Old> {
    let may_go = |old: &&Old| accounted.hold(&old.at) && !unresolved.contains(&old.origin(collection));
    page.iter().filter(may_go).collect()
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use proptest::prelude::*;

    use super::*;

    fn at(partition: i32, offsets: Range<i64>) -> DocumentOffsets {
        DocumentOffsets {
            topic: "fitbit.steps".into(),
            incarnation: 1,
            partition,
            offsets,
        }
    }

    fn old(id: &str, at: DocumentOffsets) -> Old {
        Old { id: id.into(), at }
    }

    #[test]
    fn a_document_has_one_offset_and_a_receipt_a_range() {
        let kafka = rawdoc! { "topic": "fitbit.steps", "generation": 1, "partition": 2, "offset": 7_i64 };
        let document = rawdoc! { "_id": "a", "kafka": kafka };
        assert_eq!(Old::read(&document), Some(old("a", at(2, 7..8))));
        let kafka = rawdoc! {
            "topic": "fitbit.steps", "generation": 1, "partition": 2, "offset": 7_i64, "last_offset": 9_i64
        };
        let receipt = rawdoc! { "_id": "b", "kafka": kafka };
        assert_eq!(Old::read(&receipt), Some(old("b", at(2, 7..10))));
        for foreign in [rawdoc! { "_id": "c" }, rawdoc! { "_id": 7 }, rawdoc! {}] {
            assert_eq!(Old::read(&foreign), None);
        }
    }

    #[test]
    fn p_12_a_document_with_an_open_dead_letter_stays() {
        let mut accounted = Accounted::default();
        accounted.add(at(0, 0..9));
        let page = [
            old("a", at(0, 1..2)),
            old("b", at(0, 2..3)),
            old("c", at(1, 3..4)),
        ];
        let unresolved = HashSet::from(["mongo:steps/b".to_owned(), "mongo:calories/a".to_owned()]);
        let gone = removable(&page, "steps", &accounted, &unresolved);
        assert_eq!(gone, [&page[0]]);
    }

    proptest! {
        /// A document goes exactly when each of its offsets is accounted for.
        #[test]
        fn p_12_what_is_not_accounted_for_stays(
            marks in prop::collection::vec(any::<bool>(), 40), start in 0..40_i64, length in 1..5_i64
        ) {
            let mut accounted = Accounted::default();
            let is_in = |offset: i64| usize::try_from(offset).ok().and_then(|n| marks.get(n).copied()).unwrap_or(false);
            let mut next = 0;
            while next < 40 {
                let end = (next..=40).find(|offset| !is_in(*offset)).unwrap_or(40);
                if end > next {
                    accounted.add(at(0, next..end));
                }
                next = end + 1;
            }
            let page = [old("a", at(0, start..start + length))];
            let is_gone = !removable(&page, "steps", &accounted, &HashSet::new()).is_empty();
            prop_assert_eq!(is_gone, (start..start + length).all(is_in));
        }
    }
}
