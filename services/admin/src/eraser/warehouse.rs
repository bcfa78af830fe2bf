//! The warehouse: deletes rows, dead letters and stored aggregates. Packed chunks are written like any others.

use std::ops::Range;

use pulseline_schemas::{Kind, Stream};
use pulseline_sql::periods::{DayNumber, date_of};
use pulseline_sql::{Client, GenericClient, Schemas, Transaction};
use uuid::Uuid;

use crate::eraser::error::EraserError;
use crate::eraser::person::Person;
use crate::eraser::report::Count;

/// Days of readings deleted in one transaction.
const SLICE_DAYS: DayNumber = 28;
/// A person's readings may lie in many packed chunks.
const LIFT_LIMIT: &str = "set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0";
/// The compactor's facts about sleeps.
const FACTS: &str = "stage.sleep_heart_rates";
/// Where the continuous aggregates are stored.
const STORED: &str = "select format('%I.%I', view_schema, view_name), \
    format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) \
    from timescaledb_information.continuous_aggregates where view_schema = any($1) order by 1";
const DEAD_LETTERS: &str = "from ops.dead_letters where exists (select from unnest($1::text[]) as t(id) \
    where position(convert_to(t.id, 'UTF8') in coalesce(message_key, '')) > 0 \
    or position(convert_to(t.id, 'UTF8') in coalesce(payload, '')) > 0)";
/// Every relation with a column for a person or device. The marks of days that a compactor will refresh are reported separately.
const RELATIONS: &str = "select format('%I.%I', table_schema, table_name), string_agg(format('%I = any($1)', column_name), ' or ') \
    from information_schema.columns where table_schema = any($1) \
    and column_name in ('device_id', 'user_id') \
    and (table_schema, table_name) not in (('ops', 'dirty_days'), ('next_ops', 'dirty_days')) \
    group by table_schema, table_name order by 1";

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
        for stream in Stream::ALL {
            match stream.kind() {
                Kind::Readings(_) => note(self.remove_readings(stream).await?),
                Kind::Days => note(self.remove_whole(stream.raw_table()).await?),
                Kind::Sessions(sessions) => {
                    for table in sessions.children.iter().copied().chain([stream.raw_table()]) {
                        note(self.remove_whole(table).await?);
                    }
                }
                // It names the devices, and goes last.
                Kind::Profiles => {}
            }
        }
        note(self.remove_whole(FACTS).await?);
        // Nobody refreshes the previous warehouse.
        if *self.client.schemas() == Schemas::old() {
            note(self.remove_whole("ops.dirty_days").await?);
        }
        let texts = self.person.texts();
        let dead_letters = format!("delete {DEAD_LETTERS}");
        let dead_letters = self.client.execute(&dead_letters, &[&texts]).await?;
        note(self.counted("ops.dead_letters", dead_letters));
        let backfills = "delete from ops.backfills where device = any($1)";
        note(self.counted("ops.backfills", self.client.execute(backfills, &[&texts]).await?));
        Ok(())
    }

    async fn remove_whole(&self, table: &str) -> Result<Count, EraserError> {
        let sql = format!("delete from {table} where device_id = any($1)");
        Ok(self.counted(table, self.client.execute(&sql, &[&self.person.devices]).await?))
    }

    async fn remove_readings(&mut self, stream: Stream) -> Result<Count, EraserError> {
        let table = stream.raw_table();
        let days = format!(
            "select min(local_ts)::date - date '1970-01-01', max(local_ts)::date - date '1970-01-01' from {table} where device_id = any($1)"
        );
        let row = self.client.query_one(&days, &[&self.person.devices]).await?;
        let (first, last): (Option<DayNumber>, Option<DayNumber>) = (row.get(0), row.get(1));
        let mut count = 0;
        if let (Some(mut start), Some(last)) = (first, last) {
            while start <= last {
                let transaction = self.client.transaction().await?;
                let slice = start..start + SLICE_DAYS;
                count += remove_slice(&transaction, stream, &slice, &self.person.devices).await?;
                transaction.commit().await?;
                start = slice.end;
            }
        }
        Ok(self.counted(table, count))
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
            let sql = format!("delete from {stored} where device_id = any($1)");
            note(counted(
                &view,
                self.client.execute(&sql, &[&self.person.devices]).await?,
            ));
        }
        Ok(())
    }

    /// Days of the person that the compactor still has to refresh.
    pub(crate) async fn pending_days(&self) -> Result<i64, EraserError> {
        let sql = "select count(*) from (select distinct stream, device_id, local_date from ops.dirty_days \
            where device_id = any($1)) as d";
        Ok(self.client.query_one(sql, &[&self.person.devices]).await?.get(0))
    }

    /// What was removed from a table of this warehouse.
    fn counted(&self, table: &str, count: u64) -> Count {
        counted(&format!("{}{table}", self.client.schemas().prefix()), count)
    }

    /// Deletes the profile and the devices' ownership.
    pub(crate) async fn remove_profile(
        &mut self,
        note: &mut (dyn FnMut(Count) + Send),
    ) -> Result<(), EraserError> {
        let devices = "delete from raw.devices where user_id = $1 or device_id = any($2)";
        let Person {
            user, devices: own, ..
        } = self.person;
        note(self.counted("raw.devices", self.client.execute(devices, &[user, own]).await?));
        let profile = "delete from raw.users where user_id = $1";
        note(self.counted("raw.users", self.client.execute(profile, &[user]).await?));
        Ok(())
    }
}

async fn remove_slice(
    transaction: &Transaction<'_>,
    stream: Stream,
    days: &Range<DayNumber>,
    devices: &[Uuid],
) -> Result<u64, EraserError> {
    let table = stream.raw_table();
    let of_slice = format!(
        "from {table} where device_id = any($1) and local_ts >= '{}' and local_ts < '{}'",
        date_of(days.start),
        date_of(days.end)
    );
    transaction.batch_execute(LIFT_LIMIT).await?;
    let mark = format!(
        "insert into ops.dirty_days (stream, device_id, local_date) select distinct '{}', device_id, local_ts::date {of_slice}",
        stream.name()
    );
    transaction.execute(&mark, &[&devices]).await?;
    Ok(transaction
        .execute(&format!("delete {of_slice}"), &[&devices])
        .await?)
}

/// The person's remaining rows: every table and view with a person or device column, and dead letters by their bytes.
pub(crate) async fn search(client: &Client, person: &Person) -> Result<Vec<Count>, EraserError> {
    let mut found = Vec::new();
    for row in client.query(RELATIONS, &[&client.schemas().names()]).await? {
        let (relation, condition): (String, String) = (row.get(0), row.get(1));
        let sql = format!("select count(*) from {relation} where {condition}");
        found.push((relation, client.query_one(&sql, &[&person.ids()]).await?.get(0)));
    }
    for row in client.query(STORED, &[&client.schemas().names()]).await? {
        let stored: String = row.get(1);
        let sql = format!("select count(*) from {stored} where device_id = any($1)");
        found.push((stored, client.query_one(&sql, &[&person.devices]).await?.get(0)));
    }
    let dead_letters = format!("select count(*) {DEAD_LETTERS}");
    let dead_letters = client.query_one(&dead_letters, &[&person.texts()]).await?;
    let place = format!("{}ops.dead_letters", client.schemas().prefix());
    found.push((place, dead_letters.get::<_, i64>(0)));
    let found = found.into_iter().filter(|(_, count)| *count > 0);
    Ok(found
        .map(|(place, count)| counted(&place, u64::try_from(count).unwrap_or_default()))
        .collect())
}

fn counted(place: &str, count: u64) -> Count {
    Count {
        place: place.to_owned(),
        count,
    }
}
