//! The index in whose order documents are read. The sink makes it; whoever reads makes sure.

use std::time::Duration;

use bson::RawDocumentBuf;
use futures_util::TryStreamExt;
use mongodb::error::{Error as MongoError, ErrorKind};
use mongodb::{Collection, IndexModel};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::pages::Order;

use crate::error::LoaderError;

/// Unauthorized.
const NOT_ALLOWED: i32 = 13;

/// Makes the index unless it is there. On a large collection that takes its time.
pub(crate) async fn ensure(collection: &Collection<RawDocumentBuf>, order: Order) -> Result<(), LoaderError> {
    if order == Order::Id {
        return Ok(());
    }
    let index = IndexModel::builder().keys(order.keys()).build();
    let Err(error) = collection.create_index(index).await else {
        return Ok(());
    };
    if !is_refused(&error) {
        return Err(LoaderError::mongo("making an index")(error));
    }
    // Who may not make one may still find it there.
    let listing = || LoaderError::mongo("looking for an index");
    let indexes = collection.list_indexes().await.map_err(listing())?;
    let indexes: Vec<IndexModel> = indexes.try_collect().await.map_err(listing())?;
    if indexes
        .iter()
        .any(|index| index.keys.keys().eq(order.keys().keys()))
    {
        return Ok(());
    }
    Err(LoaderError::NoIndex {
        collection: collection.name().to_owned(),
        keys: order.keys().to_string(),
    })
}

/// Makes the index, or waits until another has made it; false when told to stop before.
pub(crate) async fn await_it(
    collection: &Collection<RawDocumentBuf>,
    order: Order,
    poll: Duration,
    shutdown: &Shutdown,
) -> Result<bool, LoaderError> {
    let mut is_reported = false;
    while !shutdown.is_stopping() {
        let wanted = collection.clone();
        // Apart: a driver's future is not dropped half way. The server goes on with what it has begun.
        let ensuring = tokio::spawn(async move { ensure(&wanted, order).await });
        let ensured = tokio::select! {
            biased;
            () = shutdown.stopping() => return Ok(false),
            ensured = ensuring => ensured.map_err(|error| LoaderError::Task(error.to_string()))?,
        };
        match ensured {
            Ok(()) => return Ok(true),
            Err(error @ LoaderError::NoIndex { .. }) if !is_reported => {
                is_reported = true;
                tracing::warn!(%error, "waiting for an index");
            }
            Err(LoaderError::NoIndex { .. }) => {}
            Err(error) => return Err(error),
        }
        shutdown.sleep(poll).await;
    }
    Ok(false)
}

/// True when this user may not make indexes.
fn is_refused(error: &MongoError) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == NOT_ALLOWED)
}
