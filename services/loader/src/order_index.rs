//! The index in whose order documents are read. The sink creates it; every reader ensures it.

use std::time::Duration;

use pulseline_clients::mongo::{Collection, Error as MongoError, ErrorKind};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::pages::Order;

use crate::error::LoaderError;

/// Unauthorized.
const NOT_ALLOWED: i32 = 13;

/// Creates the index unless it exists. On a large collection that takes long.
pub(crate) async fn ensure(collection: &Collection, order: Order) -> Result<(), LoaderError> {
    if order == Order::Id {
        return Ok(());
    }
    let Err(error) = collection.create_index(order.keys()).await else {
        return Ok(());
    };
    if !is_refused(&error) {
        return Err(LoaderError::mongo("creating an index")(error));
    }
    // A user who may not create the index may still find it.
    let indexes = collection.index_keys().await;
    let indexes = indexes.map_err(LoaderError::mongo("looking for an index"))?;
    if indexes.iter().any(|keys| keys.keys().eq(order.keys().keys())) {
        return Ok(());
    }
    Err(LoaderError::NoIndex {
        collection: collection.name().to_owned(),
        keys: order.keys().to_string(),
    })
}

/// Creates the index, or waits until another program has; false when told to stop before.
pub(crate) async fn await_it(
    collection: &Collection,
    order: Order,
    poll: Duration,
    shutdown: &Shutdown,
) -> Result<bool, LoaderError> {
    let mut is_reported = false;
    while !shutdown.is_stopping() {
        let wanted = collection.clone();
        // A separate task: a driver's future is not dropped halfway. The server finishes what it has begun.
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

/// True when this user may not create indexes.
fn is_refused(error: &MongoError) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == NOT_ALLOWED)
}
