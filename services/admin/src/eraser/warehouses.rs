//! Every existing warehouse: the one in use, one being built beside it, and the previous one.

use std::time::{Duration, Instant};

use pulseline_sql::forgotten::Forgotten;
use pulseline_sql::{Client, Schemas};

use crate::eraser::error::EraserError;
use crate::eraser::person::Person;
use crate::eraser::report::Count;
use crate::eraser::warehouse::Warehouse;

/// How often the compactor's progress is checked.
const POLL: Duration = Duration::from_millis(500);

/// In this order, a swap in between cannot hide a warehouse.
pub(crate) fn warehouses() -> [Schemas; 3] {
    [Schemas::next(), Schemas::default(), Schemas::old()]
}

/// A part that is removed at once.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Readings, days, sessions, dead letters, and stored aggregates.
    Rows,
    /// Stored aggregates.
    Figures,
    /// The profile and the devices' ownership.
    Profile,
}

/// A person in all warehouses.
pub(crate) struct Warehouses<'a> {
    pub(crate) client: &'a mut Client,
    pub(crate) person: &'a Person,
}

impl Warehouses<'_> {
    /// Adds the person to the lists of erased people: the warehouse in use first, because a new one copies its list.
    pub(crate) async fn refuse(&mut self, forgotten: &Forgotten) -> Result<(), EraserError> {
        let [next, current, old] = warehouses();
        for schemas in [current, next, old] {
            if !schemas.are_there(self.client).await? {
                continue;
            }
            self.client.use_schemas(schemas);
            let added = self.add(forgotten).await;
            self.client.use_schemas(Schemas::default());
            added?;
        }
        Ok(())
    }

    async fn add(&mut self, forgotten: &Forgotten) -> Result<(), EraserError> {
        let mut forgotten = forgotten.clone();
        // A rebuild adds them once it has migrated its warehouse, and nobody loads into the previous one.
        if !self.here().knows_owners().await? {
            forgotten.days.clear();
        }
        let transaction = self.client.transaction().await?;
        pulseline_sql::forgotten::add(&transaction, &forgotten).await?;
        Ok(transaction.commit().await?)
    }

    /// Removes a part of the person's data.
    pub(crate) async fn remove(
        &mut self,
        part: Part,
        note: &mut (dyn FnMut(Count) + Send),
    ) -> Result<(), EraserError> {
        let was_building = Schemas::next().are_there(self.client).await?;
        self.remove_once(part, note).await?;
        if !matches!(part, Part::Rows) {
            return Ok(());
        }
        // A rebuild carries rows over from the warehouse in use: meanwhile it may have carried some that are deleted now.
        if was_building || Schemas::next().are_there(self.client).await? {
            self.remove_once(part, note).await?;
        }
        Ok(())
    }

    async fn remove_once(
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

    /// Waits at most this long until the compactor has refreshed the aggregates; returns the number of days left.
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
