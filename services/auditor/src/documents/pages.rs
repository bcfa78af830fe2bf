//! Documents read page by page (P20): no cursor lives longer than a page, and only a page is held.

use bson::RawDocument;
use pulseline_clients::mongo::{Batch, Collection, Cursor, Find};
use pulseline_schemas::pages::{Order, Pages, Read};

use crate::error::AuditError;

/// Documents that are asked for at once.
const PAGE_DOCUMENTS: usize = 5_000;
/// Documents a server sends at once.
const FETCH_DOCUMENTS: u32 = 1_000;

/// All documents in an order, page by page.
pub(super) fn pages(order: Order) -> Pages {
    Pages::new(order, PAGE_DOCUMENTS)
}

/// Reads all of them, reply by reply.
pub(super) struct Reader {
    collection: Collection,
    pages: Pages,
    /// The current page.
    page: Option<Cursor>,
}

/// Documents of a reply.
pub(super) struct Reply {
    batch: Batch,
    /// Which of them are read now.
    taken: Vec<bool>,
}

impl Reply {
    /// What is read of it.
    pub(super) fn documents(&self) -> Result<impl Iterator<Item = &RawDocument>, AuditError> {
        let all = self.batch.documents()?.into_iter().zip(&self.taken);
        Ok(all.filter_map(|(document, is_taken)| is_taken.then_some(document)))
    }
}

impl Reader {
    /// Nothing is asked for yet.
    pub(super) fn new(collection: Collection, pages: Pages) -> Self {
        Self {
            collection,
            pages,
            page: None,
        }
    }

    /// The documents of the next reply; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Reply>, AuditError> {
        loop {
            let Some(cursor) = &mut self.page else {
                let Some(request) = self.pages.request() else {
                    return Ok(None);
                };
                let how = Find {
                    sort: Some(request.sort).filter(|sort| !sort.is_empty()),
                    limit: Some(request.limit),
                    batch_size: Some(FETCH_DOCUMENTS),
                    projection: None,
                };
                self.page = Some(self.collection.find(request.filter, how).await?);
                continue;
            };
            let Some(batch) = cursor.next_batch().await? else {
                self.pages.end();
                self.page = None;
                continue;
            };
            let is_taken = |document| matches!(self.pages.read(document), Read::Take(_));
            let taken = batch.documents()?.into_iter().map(is_taken).collect();
            return Ok(Some(Reply { batch, taken }));
        }
    }
}

/// Reads all of them, document by document.
pub(super) async fn read(
    collection: Collection,
    pages: Pages,
    mut take: impl FnMut(&RawDocument) -> Result<(), AuditError>,
) -> Result<(), AuditError> {
    let mut reader = Reader::new(collection, pages);
    while let Some(reply) = reader.next().await? {
        reply.documents()?.try_for_each(&mut take)?;
    }
    Ok(())
}
