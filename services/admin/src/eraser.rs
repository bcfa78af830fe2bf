//! Removes a person from every store, and proves it (E-1, P13).
//!
//! ```text
//!  whose devices? ─▶ tombstones: MongoDB, then ops.forgotten ─▶ documents, each leaves a receipt ─▶ rows and dead letters
//!    ─▶ stored figures ─▶ the compactor refreshes the days ─▶ profile, last ─▶ every store is searched
//! ```
//!
//! The profile goes last: after a stop or a crash, the same command finds the devices again and continues.

mod days;
mod dead_letters;
mod documents;
mod error;
mod kafka;
mod owners;
mod person;
mod report;
mod search;
mod warehouse;
mod warehouses;

use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_clients::mongo::{self, Database};
use pulseline_runtime::config::{KafkaConfig, MongoConfig, TimescaleConfig};
use pulseline_sql::forgotten::Forgotten;
use pulseline_sql::{Client, Schemas};
use pulseline_tombstones::Register;
use uuid::Uuid;

use documents::Documents;
pub use error::EraserError;
pub use person::{PassedOn, Person};
pub use report::{Count, ErasureReport, Kept};
use warehouses::{Part, Warehouses, warehouses};

/// The servers that hold data of a person.
#[derive(Clone, Debug)]
pub struct EraserConnections {
    /// Messages, deleted by retention.
    pub kafka: KafkaConfig,
    /// Documents.
    pub mongo: MongoConfig,
    /// Rows and aggregates.
    pub timescale: TimescaleConfig,
}

/// Open stores.
pub struct Eraser {
    kafka: KafkaConfig,
    database: Database,
    client: Client,
}

impl Eraser {
    /// Connects.
    ///
    /// # Errors
    /// An unreachable store, or a wrong address.
    pub fn open(connections: &EraserConnections) -> BoxFuture<'_, Result<Self, EraserError>> {
        Box::pin(async move {
            Ok(Self {
                kafka: connections.kafka.clone(),
                database: mongo::open(&connections.mongo, "pulseline-eraser").await?,
                client: pulseline_sql::open(&connections.timescale, "pulseline-eraser").await?,
            })
        })
    }

    /// The devices of a person, and those that belong to another person on other days.
    ///
    /// # Errors
    /// [`EraserError::Unknown`] when neither profile nor device is known.
    pub fn person<'a>(&'a self, user: Uuid, named: &'a [Uuid]) -> BoxFuture<'a, Result<Person, EraserError>> {
        Box::pin(async move { person::find(&self.database, &self.client, user, named).await })
    }

    /// Searches every store.
    ///
    /// # Errors
    /// Errors of the stores.
    pub fn search<'a>(&'a mut self, person: &'a Person) -> BoxFuture<'a, Result<Vec<Count>, EraserError>> {
        Box::pin(async move {
            let mut found = Documents::of(&self.database, person).search().await?;
            for schemas in warehouses() {
                if schemas.are_there(&self.client).await? {
                    self.client.use_schemas(schemas);
                    let there = search::search(&self.client, person).await;
                    self.client.use_schemas(Schemas::default());
                    found.extend(there?);
                }
            }
            Ok(found)
        })
    }

    /// Removes a person; waits at most `settle` until the compactor has refreshed their days.
    ///
    /// # Errors
    /// Errors of the stores. What was removed stays removed; the same call continues.
    pub fn forget<'a>(
        &'a mut self,
        person: Person,
        settle: Duration,
        tell: &'a mut (dyn FnMut(&Count) + Send),
    ) -> BoxFuture<'a, Result<ErasureReport, EraserError>> {
        Box::pin(async move {
            let added = Register::of(&self.database)
                .add(&person.ids(), &person.days())
                .await?;
            let days = added.days.into_iter();
            let forgotten = Forgotten {
                hashes: added.hashes.iter().map(|hash| hash.to_vec()).collect(),
                days: days.map(|(device, days)| (device.to_vec(), days)).collect(),
            };
            let mut removed = Vec::new();
            let mut note = |count: Count| {
                if count.count > 0 {
                    tell(&count);
                    removed.push(count);
                }
            };
            let mut warehouses = Warehouses {
                client: &mut self.client,
                person: &person,
            };
            warehouses.refuse(&forgotten).await?;
            let documents = Documents::of(&self.database, &person);
            documents.remove(&mut note).await?;
            warehouses.remove(Part::Rows, &mut note).await?;
            let pending_days = warehouses.settle(settle).await?;
            // A refresh that began before the rows were deleted may have stored aggregates after them.
            warehouses.remove(Part::Figures, &mut note).await?;
            warehouses.remove(Part::Profile, &mut note).await?;
            documents.remove_profile(&mut note).await?;
            kafka::remove_zones(&self.kafka, &person.devices).await?;
            Ok(ErasureReport {
                found: self.search(&person).await?,
                kafka: kafka::kept(&self.kafka).await?,
                person,
                removed,
                pending_days,
            })
        })
    }

    /// Closes the document store.
    pub fn close(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.database.close().await;
        })
    }
}
