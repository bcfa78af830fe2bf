//! Opens writers on the servers.

use std::time::Duration;

use pulseline_clients::mongo::Database;
use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::Client;

use super::Writer;
use super::limits::application;
use super::purpose::Purpose;
use super::timescale::Timescale;
use crate::checkpoint::{Checkpoint, Claim, Claimed};
use crate::config::LEASE_TTL_MS;
use crate::context::Context;
use crate::document::SourceCollection;
use crate::error::LoaderError;

/// The outcome of opening a collection.
pub(crate) enum Opened {
    /// The collection is open; with the content of its checkpoint.
    Ours(Box<Writer>, Box<Claimed>),
    /// Another session holds its checkpoint.
    Locked,
}

/// Opens a collection to follow it: takes its checkpoint over, and waits at most `patience` for another session that holds
/// it.
pub(crate) async fn follow(
    context: &Context,
    source: SourceCollection,
    patience: Duration,
) -> Result<Opened, LoaderError> {
    let mut client = connect(&context.timescale, &application(source, context.epoch)).await?;
    match Checkpoint::claim(&mut client, source, context.epoch, patience).await? {
        Claim::Locked => Ok(Opened::Locked),
        Claim::Ours(checkpoint, claimed) => {
            let warehouse = Timescale::new(source, client, context.config.lease_ttl());
            let writer = writer(source, Purpose::Follow(checkpoint), warehouse, &context.database)
                .following(context.config.high_watermark_devices, &context.expected);
            Ok(Opened::Ours(Box::new(writer), claimed))
        }
    }
}

/// Opens a writer of documents beside the loader that follows the collection.
pub(crate) async fn beside(
    timescale: &TimescaleConfig,
    database: &Database,
    source: SourceCollection,
    purpose: Purpose,
) -> Result<Writer, LoaderError> {
    let client = connect(timescale, &format!("pulseline-beside-{}", source.name())).await?;
    let warehouse = Timescale::new(source, client, Duration::from_millis(LEASE_TTL_MS));
    Ok(writer(source, purpose, warehouse, database))
}

fn writer(source: SourceCollection, purpose: Purpose, warehouse: Timescale, database: &Database) -> Writer {
    Writer::new(source, purpose, Box::new(warehouse), Box::new(database.clone()))
}

async fn connect(timescale: &TimescaleConfig, application: &str) -> Result<Client, LoaderError> {
    pulseline_sql::open(timescale, application)
        .await
        .map_err(LoaderError::sql("connecting"))
}
