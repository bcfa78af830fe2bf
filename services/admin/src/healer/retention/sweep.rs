//! Removes documents and receipts below the floor, page by page: their offsets are marked first, then they are deleted. After a
//! stop in between, the next sweep meets the same page again.

use std::collections::HashSet;

use bson::{Bson, DateTime, Document, doc};
use pulseline_clients::mongo::{Collection, Database, Find};
use pulseline_runtime::health::Heart;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::pages::{Order, PagePosition, Pages, REACH_DAYS, Read, WINDOW_START};
use pulseline_schemas::{Stream, collections};
use pulseline_sql::documents::{self, DocumentOffsets};
use pulseline_sql::periods::DayNumber;
use pulseline_sql::{Client, GenericClient};

use super::DAY_MS;
use super::page::{Accounted, Old, removable};
use crate::healer::error::HealerError;
use crate::healer::metrics;
use crate::healer::repair::Healer;

/// Most documents of a page: their ids are held, and one transaction marks them.
const PAGE_DOCUMENTS: usize = 1_000;
/// Most documents that a round removes: repairing losses goes first. What stays is not counted: it would end each round at the same
/// place.
const ROUND_DOCUMENTS: usize = 500_000;
/// The field that holds when a receipt was stored.
const STORED_AT: &str = "stored_at";

const ACCOUNTED: &str = "select a.topic, a.generation, a.partition, lower(r), upper(r) \
    from ops.accounted_offsets a, unnest(a.offsets) r order by a.topic, a.generation, a.partition, lower(r)";
const UNRESOLVED: &str =
    "select distinct origin from ops.dead_letters where origin = any($1) and resolved_at is null";

/// The stores of one sweep.
pub(super) struct Sweep<'a> {
    client: &'a mut Client,
    database: &'a Database,
    shutdown: &'a Shutdown,
    heart: &'a Heart,
    accounted: Accounted,
    page_documents: usize,
    /// Documents that this round may still remove.
    room: usize,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(
        healer: &'a Healer,
        client: &'a mut Client,
        database: &'a Database,
        heart: &'a Heart,
    ) -> Self {
        Self {
            client,
            database,
            shutdown: &healer.shutdown,
            heart,
            accounted: Accounted::default(),
            page_documents: healer.loader.page_documents.clamp(1, PAGE_DOCUMENTS),
            room: ROUND_DOCUMENTS,
        }
    }

    /// Removes what is below the floor; false when it ended before: a stop, a full round, or a rebuild that began.
    pub(super) async fn run(mut self, floor: DayNumber) -> Result<bool, HealerError> {
        // Once: what is accounted for later is removed by a later sweep.
        for row in self.client.query(ACCOUNTED, &[]).await? {
            self.accounted.add(DocumentOffsets {
                topic: row.get(0),
                incarnation: row.get(1),
                partition: row.get(2),
                offsets: row.get(3)..row.get(4),
            });
        }
        for (stream, _) in Stream::readings() {
            if !self.readings(stream, floor).await? {
                return Ok(false);
            }
        }
        self.receipts(floor).await
    }

    /// Documents whose readings all lie before the floor, in the order of their windows.
    async fn readings(&mut self, stream: Stream, floor: DayNumber) -> Result<bool, HealerError> {
        let collection = self.database.collection(stream.collection());
        let before = (i64::from(floor) - i64::from(REACH_DAYS)) * DAY_MS;
        // A window is a promise of the source: the readings tell.
        let has_no_later = doc! { "metrics.ts": { "$not": { "$gte": midnight(floor) } } };
        let mut pages = Pages::new(Order::of(stream), self.page_documents)
            .matching(has_no_later)
            .starting(i64::MIN..=before - 1);
        while let Some(request) = pages.request() {
            if !self.may_go_on() {
                return Ok(false);
            }
            let how = Find {
                projection: Some(doc! { "_id": 1, "kafka": 1, WINDOW_START: 1 }),
                sort: Some(request.sort).filter(|sort| !sort.is_empty()),
                limit: Some(request.limit),
                batch_size: None,
            };
            let mut old = Vec::new();
            let mut cursor = collection.find(request.filter, how).await?;
            while let Some(batch) = cursor.next_batch().await? {
                for document in batch.documents()? {
                    // One without a place in the order stays: the sink did not write it.
                    if let Read::Take(Some(PagePosition::Window { .. })) = pages.read(document) {
                        old.extend(Old::read(document));
                    }
                }
            }
            pages.end();
            if !self.remove(&collection, &old).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Receipts that were stored before the floor.
    async fn receipts(&mut self, floor: DayNumber) -> Result<bool, HealerError> {
        let collection = self.database.collection(collections::RECEIPTS);
        let order = doc! { STORED_AT: 1, "_id": 1 };
        collection.create_index(order.clone()).await?;
        let mut after: Option<(DateTime, String)> = None;
        loop {
            if !self.may_go_on() {
                return Ok(false);
            }
            let how = Find {
                projection: Some(doc! { "_id": 1, "kafka": 1, STORED_AT: 1 }),
                sort: Some(order.clone()),
                limit: Some(i64::try_from(self.page_documents).unwrap_or(i64::MAX)),
                batch_size: None,
            };
            let page = collection
                .find(stored_before(floor, after.as_ref()), how)
                .await?
                .all()
                .await?;
            let old: Vec<Old> = page.iter().filter_map(|receipt| Old::read(receipt)).collect();
            let last = page.last().and_then(|receipt| {
                let id = receipt.get_str("_id").ok()?.to_owned();
                Some((receipt.get_datetime(STORED_AT).ok()?, id))
            });
            if !self.remove(&collection, &old).await? {
                return Ok(false);
            }
            match last {
                Some(last) if page.len() >= self.page_documents => after = Some(last),
                _ => return Ok(true),
            }
        }
    }

    fn may_go_on(&self) -> bool {
        self.heart.beat();
        self.room > 0 && !self.shutdown.is_stopping()
    }

    /// Removes those of a page that may go; false when a rebuild began, which reads them.
    async fn remove(&mut self, collection: &Collection, page: &[Old]) -> Result<bool, HealerError> {
        if page.is_empty() {
            return Ok(true);
        }
        let origins: Vec<String> = page.iter().map(|old| old.origin(collection.name())).collect();
        let unresolved = self.client.query(UNRESOLVED, &[&origins]).await?;
        let unresolved: HashSet<String> = unresolved.iter().map(|row| row.get(0)).collect();
        let gone = removable(page, collection.name(), &self.accounted, &unresolved);
        if gone.is_empty() {
            return Ok(true);
        }
        self.room = self.room.saturating_sub(gone.len());
        let offsets: Vec<&DocumentOffsets> = gone.iter().map(|old| &old.at).collect();
        let transaction = self.client.transaction().await?;
        if !documents::hold(&transaction).await? {
            return Ok(false);
        }
        documents::mark(&transaction, &offsets).await?;
        transaction.commit().await?;
        let ids: Vec<&str> = gone.iter().map(|old| old.id.as_str()).collect();
        let removed = collection.delete_many(doc! { "_id": { "$in": ids } }).await?;
        metrics::record_removed_documents(removed);
        Ok(true)
    }
}

/// Selects receipts that were stored before a day, after this one in their order.
fn stored_before(day: DayNumber, after: Option<&(DateTime, String)>) -> Document {
    let before = doc! { "$lt": midnight(day) };
    match after {
        None => doc! { STORED_AT: before, "_id": { "$type": "string" } },
        Some((at, id)) => doc! { "$or": [
            doc! { STORED_AT: *at, "_id": { "$gt": id, "$type": "string" } },
            doc! { STORED_AT: { "$gt": *at, "$lt": midnight(day) }, "_id": { "$type": "string" } },
        ] },
    }
}

fn midnight(day: DayNumber) -> Bson {
    Bson::DateTime(DateTime::from_millis(i64::from(day) * DAY_MS))
}
