//! Documents read page by page (P20): no cursor lives longer than a page, and only a page is held.

use bson::{RawDocument, RawDocumentBuf};
use mongodb::Collection;
use pulseline_schemas::pages::{Order, Pages};

use crate::error::AuditError;

/// Documents that are asked for at once.
const PAGE_DOCUMENTS: usize = 5_000;
/// Documents a server sends at once.
const FETCH_DOCUMENTS: u32 = 1_000;

/// All documents in an order, page by page.
pub(super) fn pages(order: Order) -> Pages {
    Pages::new(order, PAGE_DOCUMENTS)
}

/// Reads all of them.
pub(super) async fn read(
    collection: &Collection<RawDocumentBuf>,
    mut pages: Pages,
    mut take: impl FnMut(&RawDocument) -> Result<(), AuditError>,
) -> Result<(), AuditError> {
    while let Some(request) = pages.request() {
        let found = collection
            .find(request.filter)
            .limit(request.limit)
            .batch_size(FETCH_DOCUMENTS);
        let mut cursor = if request.sort.is_empty() {
            found.await?
        } else {
            found.sort(request.sort).await?
        };
        while cursor.advance().await? {
            pages.read(cursor.current());
            if !request.is_probe {
                take(cursor.current())?;
            }
        }
        pages.end();
    }
    Ok(())
}
