//! Reads the content of a collection before its changes are followed.
//!
//! The position is taken first and stored last. Documents that arrive in between are read twice, which changes nothing.
//! Progress is stored in the transaction that holds the rows (D-2): a restart continues there, after the same position.

use std::time::Duration;

use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::pages::{Order, Pages};

use crate::batch::Progress;
use crate::context::Context;
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::metrics;
use crate::order_index;
use crate::reading::Reading;
use crate::resume::ResumePoint;
use crate::snapshot::Snapshot;
use crate::write::Writer;

/// How often the reader looks for an index that another program creates.
const INDEX_POLL: Duration = Duration::from_secs(5);

/// Reads the collection, or the rest of it, and stores its position; none when told to stop before the end.
pub(crate) async fn take(
    snapshot: Snapshot,
    writer: &mut Writer,
    context: &Context,
    shutdown: &Shutdown,
    committed: impl Fn(),
) -> Result<Option<ResumePoint>, LoaderError> {
    let collection = context.database.collection(writer.source().name());
    let order = order_of(writer.source());
    metrics::record_snapshot(writer.source(), true);
    if !order_index::await_it(&collection, order, INDEX_POLL, shutdown).await? {
        return Ok(None);
    }
    writer.begin_snapshot(snapshot.begins.clone());
    let reading = Reading {
        collection,
        pages: Pages::new(order, context.config.page_documents).after(snapshot.after),
    };
    let is_read = reading.load(writer, &context.config, shutdown, |_| committed());
    if !is_read.await? {
        return Ok(None);
    }
    let progress = Progress {
        position: Some(snapshot.begins.clone()),
        ..Progress::default()
    };
    writer.save(&progress).await?;
    metrics::record_snapshot(writer.source(), false);
    Ok(Some(snapshot.begins))
}

/// The order in which a collection is read.
fn order_of(source: SourceCollection) -> Order {
    match source {
        SourceCollection::Stream(stream) => Order::of(stream),
        SourceCollection::Receipts | SourceCollection::DeadLetters => Order::Id,
    }
}
