//! Every warehouse there is: the one in use, one that is being built beside it, and the one that was in use before.

use std::time::{Duration, Instant};

use pulseline_sql::{Client, Schemas};

use crate::Count;
use crate::error::EraserError;
use crate::person::Person;
use crate::warehouse::Warehouse;

/// How often the compactor's progress is looked at.
const POLL: Duration = Duration::from_millis(500);

/// In this order: when a rebuild swaps meanwhile, each is still come to.
pub(crate) fn warehouses() -> [Schemas; 3] {
    [Schemas::next(), Schemas::default(), Schemas::old()]
}

/// What is removed at once.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Readings, days, sessions, dead letters, and the figures that are stored.
    Rows,
    /// The figures that are stored.
    Figures,
    /// The profile and the devices' ownership.
    Profile,
}

/// A person in all of them.
pub(crate) struct Warehouses<'a> {
    pub(crate) client: &'a mut Client,
    pub(crate) person: &'a Person,
}

impl Warehouses<'_> {
    /// Adds the person to the lists of the erased: the one in use first, because one that is begun afterwards takes its list over.
    pub(crate) async fn refuse(&mut self, hashes: &[Vec<u8>]) -> Result<(), EraserError> {
        let [next, current, old] = warehouses();
        for schemas in [current, next, old] {
            if !schemas.are_there(self.client).await? {
                continue;
            }
            self.client.use_schemas(schemas);
            let added = self.add(hashes).await;
            self.client.use_schemas(Schemas::default());
            added?;
        }
        Ok(())
    }

    async fn add(&mut self, hashes: &[Vec<u8>]) -> Result<(), EraserError> {
        let transaction = self.client.transaction().await?;
        pulseline_sql::forgotten::add(&transaction, hashes).await?;
        Ok(transaction.commit().await?)
    }

    /// Removes a part of the person.
    pub(crate) async fn remove(
        &mut self,
        part: Part,
        note: &mut (dyn FnMut(Count) + Send),
    ) -> Result<(), EraserError> {
        for schemas in warehouses() {
            if !schemas.are_there(self.client).await? {
                continue;
            }
            self.client.use_schemas(schemas);
            let removed = self.remove_here(part, note).await;
            self.client.use_schemas(Schemas::default());
            removed?;
        }
        Ok(())
    }

    async fn remove_here(
        &mut self,
        part: Part,
        note: &mut (dyn FnMut(Count) + Send),
    ) -> Result<(), EraserError> {
        let mut warehouse = self.here();
        match part {
            Part::Rows => {
                warehouse.remove_rows(note).await?;
                warehouse.remove_figures(note).await
            }
            Part::Figures => warehouse.remove_figures(note).await,
            Part::Profile => warehouse.remove_profile(note).await,
        }
    }

    fn here(&mut self) -> Warehouse<'_> {
        Warehouse {
            client: self.client,
            person: self.person,
        }
    }

    /// Waits at most so long until the compactor of the one in use has made the figures anew; says how many days are left.
    pub(crate) async fn settle(&mut self, longest: Duration) -> Result<i64, EraserError> {
        let deadline = Instant::now() + longest;
        loop {
            let pending = self.here().pending_days().await?;
            if pending == 0 || Instant::now() >= deadline {
                return Ok(pending);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
