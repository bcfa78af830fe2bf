//! Compares `ops.dead_letters` with MongoDB's collection of dead letters (D-3, P8, P9), which has those of every program: the
//! loader stores its own there before their rows. All of them are compared, whatever days are asked for.
//!
//! What is on its way is no difference. A dead letter whose offset is accounted for must have its row; one that does not account
//! for an offset must have it once the loader has read the collection up to a moment after the dead letter was seen.

mod content;
mod guards;

use std::collections::HashSet;

use bson::{Bson, RawDocument, doc};
use pulseline_clients::mongo::{Collection, Database, Find};
use pulseline_schemas::ownership::is_dead_letter_of;
use pulseline_schemas::pages::Order;
use pulseline_schemas::{Stream, UtcMillis, collections};
use pulseline_sql::{Client, GenericClient};
use pulseline_tombstones::{Register, Tombstones, hold_day};

use super::origins::{ENOUGH, RELATION};
use super::pages::{self, Reader};
use crate::error::AuditError;
use crate::reconciliation::{Patience, is_loaded_until_now};
use crate::warehouse::AllOffsets;
use content::{Content, ROWS_OF_KEYS, Stored};

/// Rows read at once, and documents asked for by their ids.
const PAGE: usize = 1_000;

const ROWS: &str = "select origin, item, reason, program_version, resolved_at is not null from ops.dead_letters \
    where (origin, item) > ($1, $2) order by origin, item limit $3";
const BYTES: &str = "select message_key, payload, stream, (extract(epoch from created_at) * 1000)::bigint \
    from ops.dead_letters where origin = $1 and item = $2";

/// A dead letter of the warehouse, without its bytes.
struct Kept {
    origin: String,
    item: i32,
    reason: String,
    program_version: String,
    is_resolved: bool,
}

/// Compares both ways: what MongoDB has and the warehouse lacks or has differently, and what it has too much.
pub(crate) async fn compare_dead_letters(
    database: &Database,
    client: &Client,
    patience: Patience<'_>,
) -> Result<Vec<String>, AuditError> {
    let mut comparison = DeadLetters {
        database,
        collection: database.collection(collections::DEAD_LETTERS),
        client,
        patience,
        // Before any document is read: an offset that is accounted for now has its dead letter now.
        accounted: AllOffsets::accounted(client).await?,
        is_loading: true,
        differences: Vec::new(),
    };
    comparison.compare_documents().await?;
    let of_documents = std::mem::take(&mut comparison.differences);
    comparison.compare_rows().await?;
    Ok([of_documents, comparison.differences].concat())
}

struct DeadLetters<'a> {
    database: &'a Database,
    collection: Collection,
    client: &'a Client,
    patience: Patience<'a>,
    accounted: AllOffsets,
    /// False once the loader did not get as far as the present in time.
    is_loading: bool,
    differences: Vec<String>,
}

impl DeadLetters<'_> {
    /// Every document must have its row, as far as it is loaded.
    async fn compare_documents(&mut self) -> Result<(), AuditError> {
        let mut reader = Reader::new(self.collection.clone(), pages::pages(Order::Id));
        while let Some(reply) = reader.next().await? {
            let stored: Vec<Stored> = reply.documents()?.filter_map(Stored::read).collect();
            drop(reply);
            let absent = self.compare_with_rows(&stored).await?;
            let due = absent.into_iter().filter(|dead_letter| {
                dead_letter
                    .position()
                    .is_none_or(|position| self.accounted.contain(position))
            });
            let due: Vec<&Bson> = due.map(|dead_letter| &dead_letter.id).collect();
            if !due.is_empty() {
                self.check_again(&due).await?;
            }
            if self.differences.len() >= ENOUGH {
                break;
            }
        }
        Ok(())
    }

    /// Compares these with their rows; gives those without one.
    async fn compare_with_rows<'a>(&mut self, stored: &'a [Stored]) -> Result<Vec<&'a Stored>, AuditError> {
        let origins: Vec<&str> = stored
            .iter()
            .map(|dead_letter| dead_letter.origin.as_str())
            .collect();
        let items: Vec<i32> = stored.iter().map(|dead_letter| dead_letter.item).collect();
        let rows = self.client.query(ROWS_OF_KEYS, &[&origins, &items]).await?;
        let mut absent = Vec::new();
        for (dead_letter, row) in stored.iter().zip(&rows) {
            let Some(found) = Content::of_row(row) else {
                absent.push(dead_letter);
                continue;
            };
            let differing = dead_letter.differences(&found);
            if !differing.is_empty() {
                let (origin, item, names) = (&dead_letter.origin, dead_letter.item, differing.join(", "));
                self.differences.push(format!(
                    "{RELATION} {origin} item {item}: other than in MongoDB: {names}"
                ));
            }
        }
        Ok(absent)
    }

    /// Whether these are still in MongoDB, and still lack their row, once the loader has read the collection as it is now.
    async fn check_again(&mut self, ids: &[&Bson]) -> Result<(), AuditError> {
        if self.is_loading {
            let (collection, patience) = (self.collection.name(), self.patience);
            let is_loaded = is_loaded_until_now(self.client, self.database, collection, patience);
            self.is_loading = is_loaded.await?;
        }
        let tombstones = Register::of(self.database).read().await?;
        let again = doc! { "_id": { "$in": ids.iter().copied().cloned().collect::<Vec<_>>() } };
        let mut cursor = self.collection.find(again, Find::default()).await?;
        while let Some(batch) = cursor.next_batch().await? {
            for document in batch.documents()? {
                let Some(stored) = Stored::read(document) else {
                    continue;
                };
                let is_absent = !self
                    .compare_with_rows(std::slice::from_ref(&stored))
                    .await?
                    .is_empty();
                let is_due = stored.holds_offset() || self.is_loading;
                if is_absent && is_due && !Bytes::of_document(document).are_of_erased(&tombstones) {
                    let (origin, item) = (&stored.origin, stored.item);
                    self.differences
                        .push(format!("{RELATION} {origin} item {item}: missing"));
                }
            }
        }
        Ok(())
    }

    /// Every row must have its document, which was there before it, and must be about an item outside the guards.
    async fn compare_rows(&mut self) -> Result<(), AuditError> {
        let mut after = (String::new(), i32::MIN);
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        loop {
            let rows = self.client.query(ROWS, &[&after.0, &after.1, &limit]).await?;
            let rows: Vec<Kept> = rows
                .iter()
                .map(|row| Kept {
                    origin: row.get(0),
                    item: row.get(1),
                    reason: row.get(2),
                    program_version: row.get(3),
                    is_resolved: row.get(4),
                })
                .collect();
            let Some(last) = rows.last() else { return Ok(()) };
            after = (last.origin.clone(), last.item);
            self.compare_page(&rows).await?;
            let wrong = guards::compare(self.database, &rows).await?;
            self.differences.extend(wrong);
            if self.differences.len() >= ENOUGH {
                return Ok(());
            }
        }
    }

    async fn compare_page(&mut self, rows: &[Kept]) -> Result<(), AuditError> {
        let id = |row: &Kept| format!("{}#{}", row.origin, row.item);
        let ids: Vec<String> = rows.iter().map(id).collect();
        let how = Find {
            projection: Some(doc! { "_id": 1 }),
            ..Find::default()
        };
        let found = self.collection.find(doc! { "_id": { "$in": ids } }, how);
        let found = found.await?.all().await?;
        let found: HashSet<&str> = found
            .iter()
            .filter_map(|document| document.get_str("_id").ok())
            .collect();
        for row in rows.iter().filter(|row| !found.contains(id(row).as_str())) {
            if self.differences.len() >= ENOUGH {
                break;
            }
            if self.is_too_much(row).await? {
                let (origin, item) = (&row.origin, row.item);
                self.differences
                    .push(format!("{RELATION} {origin} item {item}: not in MongoDB"));
            }
        }
        Ok(())
    }

    /// True when no document is the row's, under whatever id, and no erasure is about to delete it.
    async fn is_too_much(&self, row: &Kept) -> Result<bool, AuditError> {
        // The loader changed the origin of a foreign dead letter: its document cannot be found by it.
        if row.origin.contains(['…', '\u{fffd}']) {
            return Ok(false);
        }
        let of_key = doc! { "origin": &row.origin, "item": row.item };
        if self.collection.find_one(of_key).await?.is_some() {
            return Ok(false);
        }
        let tombstones = Register::of(self.database).read().await?;
        let found = self.client.query_opt(BYTES, &[&row.origin, &row.item]).await?;
        Ok(found.is_some_and(|found| {
            let bytes = Bytes {
                message_key: found.get(0),
                payload: found.get(1),
                stream: found.get(2),
                made_at: found.get(3),
            };
            !bytes.are_of_erased(&tombstones)
        }))
    }
}

/// What tells whose a dead letter is.
struct Bytes<'a> {
    message_key: Option<&'a [u8]>,
    payload: Option<&'a [u8]>,
    stream: Option<&'a str>,
    /// In UTC milliseconds.
    made_at: i64,
}

impl<'a> Bytes<'a> {
    fn of_document(document: &'a RawDocument) -> Self {
        let bytes = |name| document.get_binary(name).ok().map(|binary| binary.bytes);
        let made_at = document.get_datetime("created_at");
        Self {
            message_key: bytes("message_key"),
            payload: bytes("payload"),
            stream: document.get_str("stream").ok(),
            made_at: made_at.map_or(0, bson::DateTime::timestamp_millis),
        }
    }

    /// True when it is of an erased person, or of erased days of a device that was passed on: it is about to go.
    fn are_of_erased(&self, tombstones: &Tombstones) -> bool {
        let of_key = self.message_key.is_some_and(|key| {
            let days = tombstones.days_of_key(key);
            let stream = self.stream.and_then(Stream::from_name);
            let is_of_days = || {
                is_dead_letter_of(stream, self.payload, UtcMillis(self.made_at), |day| {
                    hold_day(days, day)
                })
            };
            tombstones.hold_key(key) || (!days.is_empty() && is_of_days())
        });
        let all = [self.message_key, self.payload];
        of_key
            || all
                .into_iter()
                .flatten()
                .any(|bytes| tombstones.are_named_in(bytes))
    }
}

#[cfg(test)]
mod tests {
    use pulseline_tombstones::Key;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn e_1_a_dead_letter_of_an_erased_person_is_known_by_key_bytes_and_days() {
        let (key, device, passed_on) = (Key::random(), Uuid::from_u128(7), Uuid::from_u128(8));
        let hashes = HashSet::from([key.hash(device)]);
        let tombstones = Tombstones::new(key.clone(), hashes).with_days([(key.hash(passed_on), 5..6)]);
        let text = |id: Uuid| id.to_string().into_bytes();
        let is_erased = |message_key: &[u8], payload: &[u8], day: i64| {
            let bytes = Bytes {
                message_key: Some(message_key),
                payload: Some(payload),
                stream: Some("steps"),
                made_at: day * 86_400_000,
            };
            bytes.are_of_erased(&tombstones)
        };
        assert!(is_erased(&text(device), b"", 0) && is_erased(b"x", &text(device), 0));
        assert!(is_erased(&text(passed_on), b"", 5) && !is_erased(&text(passed_on), b"", 6));
        assert!(!is_erased(b"x", b"", 5));
    }
}
