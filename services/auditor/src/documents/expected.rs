//! The dead letters that loaded documents must have: one per item outside the guards, and one per document that is dead (D-3).
//!
//! The pass that compares a stream's rows collects them, so that documents are read once. Not known here is why a whole document
//! is dead: mapping it again would be the loader's code once more. Dead documents of readings without a place in
//! the order of windows are in a pass where all days are compared; else their dead letters are compared with MongoDB's copies alone.

use std::mem::take;

use bson::RawDocument;
use pulseline_clients::mongo::Database;
use pulseline_schemas::Stream;
use pulseline_schemas::dead_letter::Origin;
use pulseline_sql::{Client, GenericClient};
use pulseline_tombstones::Register;
use uuid::Uuid;

use super::origins::{ENOUGH, RELATION, is_stored_as_written, owner_of};
use crate::error::AuditError;

/// Dead letters that one statement looks up.
const STATEMENT_KEYS: usize = 5_000;

const MISSING: &str = "select w.place from unnest($1::text[], $2::int[]) with ordinality as w(origin, item, place) \
    where not exists (select from ops.dead_letters d where d.origin = w.origin and d.item = w.item) order by 1";

/// Dead letters of one stream's documents that are still to be looked up.
pub(super) struct ExpectedDeadLetters<'a> {
    stream: Stream,
    client: &'a Client,
    tombstones: Register,
    origins: Vec<String>,
    items: Vec<i32>,
    /// Device or person of each.
    owners: Vec<Option<Uuid>>,
    /// The first few that are missing, as text.
    missing: Vec<String>,
}

impl<'a> ExpectedDeadLetters<'a> {
    pub(super) fn new(stream: Stream, database: &Database, client: &'a Client) -> Self {
        Self {
            stream,
            client,
            tombstones: Register::of(database),
            origins: Vec::new(),
            items: Vec::new(),
            owners: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// This item of a document must be a dead letter.
    pub(super) fn expect(&mut self, document: &RawDocument, item: i32) {
        if self.missing.len() >= ENOUGH {
            return;
        }
        // The loader writes ids of another type as text in its own way.
        let Ok(id) = document.get_str("_id") else { return };
        let collection = self.stream.collection();
        let origin = Origin::Document { collection, id }.to_string();
        if !is_stored_as_written(&origin) {
            return;
        }
        self.origins.push(origin);
        self.items.push(item);
        self.owners.push(owner_of(self.stream, document));
    }

    /// Looks them up where they are many: few are held at a time, and few statements are sent.
    pub(super) async fn query_many(&mut self) -> Result<(), AuditError> {
        if self.origins.len() >= STATEMENT_KEYS {
            self.query().await?;
        }
        Ok(())
    }

    /// Looks up the rest; gives the first few that are missing, as text.
    pub(super) async fn missing(mut self) -> Result<Vec<String>, AuditError> {
        self.query().await?;
        Ok(self.missing)
    }

    async fn query(&mut self) -> Result<(), AuditError> {
        let (origins, items, owners) = (
            take(&mut self.origins),
            take(&mut self.items),
            take(&mut self.owners),
        );
        let parts = origins.chunks(STATEMENT_KEYS).zip(items.chunks(STATEMENT_KEYS));
        for ((origins, items), owners) in parts.zip(owners.chunks(STATEMENT_KEYS)) {
            let rows = self.client.query(MISSING, &[&origins, &items]).await?;
            if rows.is_empty() {
                continue;
            }
            // An erasure writes its tombstones before it deletes anything. One of days also moves the items that it leaves in
            // a document to other places.
            let tombstones = self.tombstones.read().await?;
            let is_erased = |owner: Uuid| tombstones.hold(owner) || !tombstones.days_of(owner).is_empty();
            for row in rows {
                let place = usize::try_from(row.get::<_, i64>(0) - 1).unwrap_or(usize::MAX);
                let (Some(origin), Some(item)) = (origins.get(place), items.get(place)) else {
                    continue;
                };
                let is_erased = owners.get(place).copied().flatten().is_some_and(is_erased);
                if !is_erased && self.missing.len() < ENOUGH {
                    self.missing
                        .push(format!("{RELATION} {origin} item {item}: missing"));
                }
            }
        }
        Ok(())
    }
}
