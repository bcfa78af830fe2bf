//! Finds rows that fail a whole COPY by bisection; they become dead letters, and the rest is written.

use std::collections::HashMap;
use std::mem::take;
use std::ops::Range;

use pulseline_runtime::clock::system_utc_millis;

use super::rows::BatchRows;
use super::step::Failure;
use super::warehouse::Warehouse;
use crate::batch::Batch;
use crate::dead_letter::{DeadLetter, WHOLE, payload};
use crate::document::{MappedEntry, Origin, Reading, ReadingsUpload, Refusal, SourceCollection, UserRow};
use crate::error::LoaderError;
use crate::resolve::{self, Row};

/// The rows of a batch that can be tried in part.
#[derive(Clone, Copy)]
enum Suspects<'a> {
    Readings(&'a [Row], &'a [ReadingsUpload]),
    Entries(&'a [MappedEntry]),
    Users(&'a [UserRow]),
}

impl<'a> Suspects<'a> {
    fn len(self) -> usize {
        match self {
            Self::Readings(rows, _) => rows.len(),
            Self::Entries(entries) => entries.len(),
            Self::Users(users) => users.len(),
        }
    }

    /// A part of them, as a transaction writes it.
    fn part(self, range: Range<usize>) -> BatchRows<'a> {
        let mut part = BatchRows::default();
        match self {
            Self::Readings(rows, uploads) => {
                part.merge = &rows[range];
                part.uploads = uploads;
            }
            Self::Entries(entries) => part.entries = &entries[range],
            Self::Users(users) => part.users = &users[range],
        }
        part
    }
}

/// The search for refused rows among numbered ones: a refused part is halved until it is one row. Pure.
#[derive(Debug, Default)]
struct Bisection {
    /// Parts that were not tried yet.
    open: Vec<Range<usize>>,
    /// The refused rows, each with the server's message.
    refused: HashMap<usize, String>,
}

impl Bisection {
    fn new(rows: usize) -> Self {
        let all = (rows > 0).then_some(0..rows);
        Self {
            open: all.into_iter().collect(),
            refused: HashMap::new(),
        }
    }

    /// The part to try next; none when every row is known.
    fn part(&self) -> Option<Range<usize>> {
        self.open.last().cloned()
    }

    /// The server accepts that part, or refuses it with this message.
    fn answer(&mut self, refusal: Option<String>) {
        let (Some(part), Some(message)) = (self.open.pop(), refusal) else {
            return;
        };
        if part.len() == 1 {
            self.refused.insert(part.start, message);
        } else {
            let middle = part.start + part.len() / 2;
            self.open.extend([part.start..middle, middle..part.end]);
        }
    }
}

/// Removes the rows that the server refuses from a batch, as dead letters; true when there were any.
pub(super) async fn refuse(
    warehouse: &mut dyn Warehouse,
    source: SourceCollection,
    batch: &mut Batch,
) -> Result<bool, LoaderError> {
    let before = batch.dead_letters.len();
    let rows = resolve::winners(&batch.readings);
    let refused = find(warehouse, source, Suspects::Readings(&rows, &batch.readings)).await?;
    for (index, detail) in refused {
        refuse_reading(batch, rows[index], detail);
    }
    let entries = take(&mut batch.entries);
    let mut refused = find(warehouse, source, Suspects::Entries(&entries)).await?;
    for (index, entry) in entries.into_iter().enumerate() {
        match refused.remove(&index) {
            None => batch.entries.push(entry),
            Some(detail) => refuse_item(batch, &entry.origin, entry.item, detail),
        }
    }
    let users = take(&mut batch.users);
    let mut refused = find(warehouse, source, Suspects::Users(&users)).await?;
    for (index, user) in users.into_iter().enumerate() {
        match refused.remove(&index) {
            None => batch.users.push(user),
            Some(detail) => refuse_item(batch, &user.origin, WHOLE, detail),
        }
    }
    Ok(batch.dead_letters.len() > before)
}

/// The refused rows, each with the server's message.
async fn find(
    warehouse: &mut dyn Warehouse,
    source: SourceCollection,
    suspects: Suspects<'_>,
) -> Result<HashMap<usize, String>, LoaderError> {
    let mut bisection = Bisection::new(suspects.len());
    while let Some(part) = bisection.part() {
        match warehouse.probe(suspects.part(part)).await {
            Ok(()) => bisection.answer(None),
            Err(error) => match Failure::of(&error) {
                Failure::Value => bisection.answer(Some(error.to_string())),
                Failure::Conflict => {
                    tracing::info!(collection = source.name(), %error, "conflict: retrying the probe");
                }
                _ => return Err(error),
            },
        }
    }
    Ok(bisection.refused)
}

fn refuse_reading(batch: &mut Batch, row: Row, detail: String) {
    let upload = &mut batch.readings[row.upload as usize];
    let is_it = |reading: &Reading| reading.item == row.item;
    let Some(at) = upload.readings.iter().position(is_it) else {
        return;
    };
    let reading = upload.readings.remove(at);
    let item = i32::try_from(row.item).unwrap_or(i32::MAX);
    let payload = payload(upload, &[reading]);
    let dead_letter = dead_letter(&upload.origin, item, detail, Some(payload));
    batch.dead_letters.push(dead_letter);
}

/// Makes a dead letter of an item; one about the whole upload also changes its offset from `loaded` to `dead`.
fn refuse_item(batch: &mut Batch, origin: &Origin, item: i32, detail: String) {
    if item == WHOLE {
        batch.mark_dead(origin);
    }
    let dead_letter = dead_letter(origin, item, detail, origin.document.clone());
    batch.dead_letters.push(dead_letter);
}

fn dead_letter(origin: &Origin, item: i32, detail: String, payload: Option<Vec<u8>>) -> DeadLetter {
    let refusal = Refusal {
        reason: "refused",
        detail,
    };
    DeadLetter::about(origin, item, &refusal, payload, system_utc_millis())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_suspect_is_in_one_half_or_the_other() {
        let rows: Vec<Row> = (0..5).map(|at| Row::at(Uuid::nil(), at)).collect();
        let suspects = Suspects::Readings(&rows, &[]);
        let middle = suspects.len() / 2;
        let parts = [0..middle, middle..suspects.len()].map(|range| suspects.part(range));
        let tried: Vec<Row> = parts.iter().flat_map(|part| part.merge.to_vec()).collect();
        assert_eq!(tried, rows);
        assert!(parts.iter().all(|part| part.direct.is_empty()));
        assert_eq!(Suspects::Entries(&[]).len() + Suspects::Users(&[]).len(), 0);
    }

    proptest! {
        #[test]
        fn d_3_bisection_finds_exactly_the_refused_rows(
            rows in 0..200_usize,
            refused in prop::collection::btree_set(0..200_usize, 0..8),
        ) {
            let refused: Vec<usize> = refused.into_iter().filter(|row| *row < rows).collect();
            let mut bisection = Bisection::new(rows);
            let mut tries = 0;
            while let Some(part) = bisection.part() {
                tries += 1;
                let is_refused = refused.iter().any(|row| part.contains(row));
                bisection.answer(is_refused.then(|| "refused".to_owned()));
            }
            let mut found: Vec<usize> = bisection.refused.into_keys().collect();
            found.sort_unstable();
            // A refused row costs two tries for each halving.
            let halvings = rows.next_power_of_two().ilog2() as usize;
            prop_assert!(tries <= 1 + 2 * refused.len() * halvings);
            prop_assert_eq!(found, refused);
        }

        /// Also when the server's answers contradict each other.
        #[test]
        fn d_3_bisection_always_ends(rows in 0..200_usize, answers in prop::collection::vec(any::<bool>(), 400)) {
            let mut bisection = Bisection::new(rows);
            let mut answers = answers.into_iter();
            while bisection.part().is_some() {
                let is_refused = answers.next().unwrap_or_else(|| panic!("more tries than rows twice"));
                bisection.answer(is_refused.then(String::new));
            }
            prop_assert!(bisection.refused.into_keys().all(|row| row < rows));
        }
    }
}
