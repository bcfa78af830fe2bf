//! Drops a warehouse that is no longer, or not yet, in use: chunks first, a few at a time, so that no statement holds
//! thousands of locks.

use pulseline_sql::{Client, GenericClient, Schemas, query};

use crate::rebuilder::build::{Lease, begin_alone};
use crate::rebuilder::connection::open;
use crate::rebuilder::error::RebuilderError;
use crate::rebuilder::settings::Rebuilder;

/// The ends of the first few chunks, by stream.
const OLDEST: &str = "select stream, max(ends_on)::text from ( \
    select stream, ends_on from ops.chunks order by ends_on, stream limit 20) c group by stream order by stream";

/// Drops the schemas with their content; false when they do not exist.
pub(crate) async fn discard(rebuilder: &Rebuilder, schemas: &Schemas) -> Result<bool, RebuilderError> {
    let mut client = open(rebuilder).await?;
    let lease = begin_alone(rebuilder, &client).await?;
    let dropped = drop(&mut client, schemas, rebuilder, &lease).await;
    lease.release(rebuilder.timescale()).await;
    dropped
}

async fn drop(
    client: &mut Client,
    schemas: &Schemas,
    rebuilder: &Rebuilder,
    lease: &Lease,
) -> Result<bool, RebuilderError> {
    if !schemas.are_there(client).await? {
        return Ok(false);
    }
    let dependents = client
        .query_one(query!("rebuilder/dependents"), &[&schemas.names()])
        .await?;
    if let Some(dependents) = dependents.get::<_, Option<String>>(0) {
        return Err(RebuilderError::IsNeeded(dependents));
    }
    client.use_schemas(schemas.clone());
    tokio::select! {
        biased;
        lost = lease.lost(rebuilder.timescale()) => Err(lost),
        dropped = drop_all(client, schemas) => dropped.map(|()| true),
    }
}

async fn drop_all(client: &mut Client, schemas: &Schemas) -> Result<(), RebuilderError> {
    loop {
        let oldest = client.query(OLDEST, &[]).await?;
        if oldest.is_empty() {
            break;
        }
        for row in oldest {
            let (stream, end): (String, String) = (row.get(0), row.get(1));
            let call = format!("select drop_chunks('raw.{stream}', older_than => timestamp '{end}')");
            client.batch_execute(&call).await?;
        }
    }
    let transaction = client.transaction().await?;
    let names = schemas.names().join(", ");
    let drop = format!(
        "drop schema {names} cascade; drop table if exists {}",
        schemas.journal()
    );
    transaction.batch_execute(&drop).await?;
    Ok(transaction.commit().await?)
}
