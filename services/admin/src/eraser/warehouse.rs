//! The warehouse: deletes rows, dead letters and stored aggregates. Packed chunks are written like any others.

use std::ops::Range;

use pulseline_schemas::{Kind, Stream};
use pulseline_sql::periods::{DayNumber, date_of};
use pulseline_sql::{Client, GenericClient, Schemas, Transaction};
use uuid::Uuid;

use crate::eraser::dead_letters::{DEAD_LETTERS, dead_letters_of_days};
use crate::eraser::error::EraserError;
use crate::eraser::person::{Person, Scope};
use crate::eraser::report::Count;

/// Days of readings deleted in one transaction.
const SLICE_DAYS: DayNumber = 28;
/// A person's readings may lie in many packed chunks.
const LIFT_LIMIT: &str = "set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0";
/// The compactor's facts about sleeps.
const FACTS: &str = "stage.sleep_heart_rates";
/// Where the continuous aggregates are stored.
pub(crate) const STORED: &str = "select format('%I.%I', view_schema, view_name), \
    format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) \
    from timescaledb_information.continuous_aggregates where view_schema = any($1) order by 1";
/// Tables of figures by person, and of what the compactor still has to compute for one.
const OF_PEOPLE: &str = "select format('%I.%I', n.nspname, c.relname) from pg_class c \
    join pg_namespace n on n.oid = c.relnamespace \
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped \
    where n.nspname = any($1) and n.nspname ~ '(stage|agg|ops)$' and c.relkind = 'r' order by 1";
const KNOWS_OWNERS: &str = "select to_regclass($1::text) is not null";
/// A device goes back to the person of the newest version that is left.
const GO_BACK: &str = "insert into raw.devices (device_id, user_id, synced_at, event_id) \
    select distinct on (device_id) device_id, user_id, synced_at, event_id from raw.device_versions where device_id = any($1) \
    order by device_id, synced_at desc, event_id desc on conflict (device_id) do nothing";
/// A person's rows.
pub(crate) struct Warehouse<'a> {
    pub(crate) client: &'a mut Client,
    pub(crate) person: &'a Person,
}

impl Warehouse<'_> {
    /// Deletes readings, days, sessions and dead letters; marks the days of readings, so that their aggregates are
    /// refreshed.
    pub(crate) async fn remove_rows(
        &mut self,
        note: &mut (dyn FnMut(Count) + Send),
    ) -> Result<(), EraserError> {
        for scope in self.person.scopes() {
            self.remove_scope(&scope, note).await?;
        }
        let texts = self.person.texts();
        let dead_letters = format!("delete {DEAD_LETTERS}");
        let dead_letters = self.client.execute(&dead_letters, &[&texts]).await?;
        let of_days = self.remove_dead_letters_of_days().await?;
        note(self.counted("ops.dead_letters", dead_letters + of_days));
        let backfills = "delete from ops.backfills where device = any($1)";
        note(self.counted("ops.backfills", self.client.execute(backfills, &[&texts]).await?));
        Ok(())
    }

    async fn remove_scope(
        &mut self,
        scope: &Scope,
        note: &mut (dyn FnMut(Count) + Send),
    ) -> Result<(), EraserError> {
        for stream in Stream::ALL {
            let table = stream.raw_table();
            match stream.kind() {
                Kind::Readings(_) => note(self.remove_readings(stream, scope).await?),
                Kind::Days => note(self.remove_where(table, scope, "local_date").await?),
                Kind::Sessions(sessions) => {
                    // What belongs to a session goes before it: its day is the session's.
                    for child in sessions.children {
                        note(self.remove_children(child, stream, scope).await?);
                    }
                    note(self.remove_where(table, scope, sessions.at).await?);
                }
                // It names the devices, and goes last.
                Kind::Profiles => {}
            }
        }
        // Behind the sleeps, so that the compactor cannot compute them anew.
        note(self.remove_facts(scope).await?);
        // Nobody refreshes the previous warehouse.
        if *self.client.schemas() == Schemas::old() {
            note(self.remove_where("ops.dirty_days", scope, "local_date").await?);
        }
        Ok(())
    }

    /// Of some days those whose sleep is gone; the same for a call that went on after the sleeps were deleted.
    async fn remove_facts(&self, scope: &Scope) -> Result<Count, EraserError> {
        let without_sleep = scope.days.as_ref().map_or("", |_| {
            " and not exists (select from raw.sleeps p where p.device_id = f.device_id and p.log_id = f.log_id)"
        });
        let sql = format!("delete from {FACTS} f where f.device_id = any($1){without_sleep}");
        Ok(self.counted(FACTS, self.client.execute(&sql, &[&scope.devices]).await?))
    }

    async fn remove_where(&self, table: &str, scope: &Scope, column: &str) -> Result<Count, EraserError> {
        let on_days = scope.on(column);
        let sql = format!("delete from {table} where device_id = any($1){on_days}");
        Ok(self.counted(table, self.client.execute(&sql, &[&scope.devices]).await?))
    }

    async fn remove_children(
        &self,
        table: &str,
        stream: Stream,
        scope: &Scope,
    ) -> Result<Count, EraserError> {
        let column = stream.kind().day_column().unwrap_or_default();
        let of_parents = match scope.on(&format!("p.{column}")) {
            days if days.is_empty() => days,
            days => format!(
                " and exists (select from {} p where p.device_id = c.device_id and p.log_id = c.log_id{days})",
                stream.raw_table()
            ),
        };
        let sql = format!("delete from {table} c where c.device_id = any($1){of_parents}");
        Ok(self.counted(table, self.client.execute(&sql, &[&scope.devices]).await?))
    }

    async fn remove_readings(&mut self, stream: Stream, scope: &Scope) -> Result<Count, EraserError> {
        let table = stream.raw_table();
        let on_days = scope.on("local_ts");
        let days = format!(
            "select min(local_ts)::date - date '1970-01-01', max(local_ts)::date - date '1970-01-01' from {table} \
             where device_id = any($1){on_days}"
        );
        let row = self.client.query_one(&days, &[&scope.devices]).await?;
        let (first, last): (Option<DayNumber>, Option<DayNumber>) = (row.get(0), row.get(1));
        let mut count = 0;
        if let (Some(mut start), Some(last)) = (first, last) {
            while start <= last {
                let transaction = self.client.transaction().await?;
                let slice = start..start + SLICE_DAYS;
                count += remove_slice(&transaction, stream, &slice, scope).await?;
                transaction.commit().await?;
                start = slice.end;
            }
        }
        Ok(self.counted(table, count))
    }

    /// A dead letter of a device that was passed on goes where its bytes, or else its date, are of the person's days.
    async fn remove_dead_letters_of_days(&self) -> Result<u64, EraserError> {
        let (mut origins, mut items) = (Vec::new(), Vec::new());
        for (origin, item) in dead_letters_of_days(self.client, self.person).await? {
            origins.push(origin);
            items.push(item);
        }
        let sql = "delete from ops.dead_letters d using unnest($1::text[], $2::int[]) as gone(origin, item) \
            where d.origin = gone.origin and d.item = gone.item";
        Ok(self.client.execute(sql, &[&origins, &items]).await?)
    }

    /// Deletes stored aggregates: those of days below the retention floor are never refreshed.
    pub(crate) async fn remove_figures(
        &mut self,
        note: &mut (dyn FnMut(Count) + Send),
    ) -> Result<(), EraserError> {
        for row in self
            .client
            .query(STORED, &[&self.client.schemas().names()])
            .await?
        {
            let (view, stored): (String, String) = (row.get(0), row.get(1));
            for scope in self.person.scopes() {
                let on_days = scope.on("bucket");
                let sql = format!("delete from {stored} where device_id = any($1){on_days}");
                note(counted(
                    &view,
                    self.client.execute(&sql, &[&scope.devices]).await?,
                ));
            }
        }
        pulseline_sql::forgotten::outlast_writers(self.client).await?;
        for scope in self.person.scopes() {
            note(self.remove_facts(&scope).await?);
        }
        self.remove_figures_of_person(note).await
    }

    async fn remove_figures_of_person(
        &self,
        note: &mut (dyn FnMut(Count) + Send),
    ) -> Result<(), EraserError> {
        let schemas = self.client.schemas().names();
        for row in self.client.query(OF_PEOPLE, &[&schemas]).await? {
            let table: String = row.get(0);
            let sql = format!("delete from {table} where user_id = $1");
            note(counted(
                &table,
                self.client.execute(&sql, &[&self.person.user]).await?,
            ));
        }
        Ok(())
    }

    /// Days of the person that the compactor still has to refresh.
    pub(crate) async fn pending_days(&self) -> Result<i64, EraserError> {
        let mut pending = 0;
        for scope in self.person.scopes() {
            let sql = format!(
                "select count(*) from (select distinct stream, device_id, local_date from ops.dirty_days \
                 where device_id = any($1){}) as d",
                scope.on("local_date")
            );
            let days: i64 = self.client.query_one(&sql, &[&scope.devices]).await?.get(0);
            pending += days;
        }
        Ok(pending)
    }

    /// What was removed from a table of this warehouse.
    fn counted(&self, table: &str, count: u64) -> Count {
        counted(&format!("{}{table}", self.client.schemas().prefix()), count)
    }

    /// False in a warehouse that an older program built, and this one has not migrated.
    pub(crate) async fn knows_owners(&self) -> Result<bool, EraserError> {
        let owners = format!("{}raw.device_owners", self.client.schemas().prefix());
        Ok(self.client.query_one(KNOWS_OWNERS, &[&owners]).await?.get(0))
    }

    /// Deletes the profile and the devices' ownership. Days that the person owned belong to nobody from here on: the loader
    /// leaves erased days out of whatever versions are left.
    pub(crate) async fn remove_profile(
        &mut self,
        note: &mut (dyn FnMut(Count) + Send),
    ) -> Result<(), EraserError> {
        let Person {
            user,
            devices: own,
            passed_on,
        } = self.person;
        let knows_owners = self.knows_owners().await?;
        let more = knows_owners.then_some(["raw.device_versions", "raw.device_owners"]);
        let transaction = self.client.transaction().await?;
        // In the order in which the loader takes its locks.
        let profile = "delete from raw.users where user_id = $1";
        let mut removed = vec![("raw.users", transaction.execute(profile, &[user]).await?)];
        for table in ["raw.devices"].into_iter().chain(more.into_iter().flatten()) {
            let sql = format!("delete from {table} where user_id = $1 or device_id = any($2)");
            removed.push((table, transaction.execute(&sql, &[user, own]).await?));
        }
        if knows_owners {
            let passed_on: Vec<Uuid> = passed_on.iter().map(|passed_on| passed_on.device).collect();
            transaction.execute(GO_BACK, &[&passed_on]).await?;
        }
        transaction.commit().await?;
        for (table, count) in removed {
            note(self.counted(table, count));
        }
        // The compactor may have stored some while the person still owned the devices.
        pulseline_sql::forgotten::outlast_writers(self.client).await?;
        self.remove_figures_of_person(note).await
    }
}

async fn remove_slice(
    transaction: &Transaction<'_>,
    stream: Stream,
    days: &Range<DayNumber>,
    scope: &Scope,
) -> Result<u64, EraserError> {
    let table = stream.raw_table();
    let of_slice = format!(
        "from {table} where device_id = any($1) and local_ts >= '{}' and local_ts < '{}'{}",
        date_of(days.start),
        date_of(days.end),
        scope.on("local_ts")
    );
    transaction.batch_execute(LIFT_LIMIT).await?;
    let mark = format!(
        "insert into ops.dirty_days (stream, device_id, local_date) select distinct '{}', device_id, local_ts::date {of_slice}",
        stream.name()
    );
    transaction.execute(&mark, &[&scope.devices]).await?;
    Ok(transaction
        .execute(&format!("delete {of_slice}"), &[&scope.devices])
        .await?)
}

pub(crate) fn counted(place: &str, count: u64) -> Count {
    Count {
        place: place.to_owned(),
        count,
    }
}
