//! Documents read page by page (P20): no cursor lives longer than a page, and only a page is held.

use bson::RawDocument;
use pulseline_clients::mongo::{Collection, Find};
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
    collection: &Collection,
    mut pages: Pages,
    mut take: impl FnMut(&RawDocument) -> Result<(), AuditError>,
) -> Result<(), AuditError> {
    while let Some(request) = pages.request() {
        let how = Find {
            sort: Some(request.sort).filter(|sort| !sort.is_empty()),
            limit: Some(request.limit),
            batch_size: Some(FETCH_DOCUMENTS),
            projection: None,
        };
        let mut cursor = collection.find(request.filter, how).await?;
        while let Some(batch) = cursor.next_batch().await? {
            for document in batch.documents()? {
                pages.read(document);
                if !request.is_probe {
                    take(document)?;
                }
            }
        }
        pages.end();
    }
    Ok(())
}
