//! Continuous aggregates as the server's catalogue describes them, and the rows of single devices written anew in them.
//!
//! A refresh knows time, not devices: it computes its window for everybody. A patch writes what one would write, for the devices
//! that it names, from the definition that the server keeps; so the two cannot drift. The names are looked up each time: nothing
//! of the warehouse depends on the catalogue.

use std::collections::HashMap;
use std::ops::Range;

use uuid::Uuid;

use crate::client::{GenericClient, Transaction};
use crate::error::SqlError;
use crate::periods::{DayNumber, date_of};

/// A continuous aggregate over `device_id` and `bucket`, and whatever else.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// The hypertable that holds its rows.
    stored: String,
    /// The query that computes them.
    definition: String,
    columns: String,
}

/// Finds continuous aggregates by their names, as `stage.steps_15m`.
///
/// # Errors
/// What the server says.
pub async fn read(
    client: &impl GenericClient,
    relations: &[&'static str],
) -> Result<HashMap<&'static str, Aggregate>, SqlError> {
    // In the text, so that the client puts its prefix before the schemas.
    let names: Vec<String> = relations
        .iter()
        .enumerate()
        .map(|(place, relation)| format!("({place}, '{relation}'::regclass)"))
        .collect();
    let sql = format!(
        "select w.place, format('%I.%I', c.materialization_hypertable_schema, c.materialization_hypertable_name), \
            rtrim(c.view_definition, E' ;\\n'), \
            (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a \
                where a.attrelid = w.relation and a.attnum > 0 and not a.attisdropped) \
        from (values {}) as w(place, relation) \
        join pg_class r on r.oid = w.relation \
        join pg_namespace n on n.oid = r.relnamespace \
        join timescaledb_information.continuous_aggregates c on c.view_schema = n.nspname and c.view_name = r.relname",
        names.join(", ")
    );
    let rows = client.query(&sql, &[]).await?;
    let found = rows.iter().filter_map(|row| {
        let place = usize::try_from(row.get::<_, i32>(0)).ok()?;
        let aggregate = Aggregate {
            stored: row.get(1),
            definition: row.get(2),
            columns: row.get(3),
        };
        Some((*relations.get(place)?, aggregate))
    });
    Ok(found.collect())
}

/// A statement with the stored rows of these aggregates in place of their names: without what real-time aggregation adds, which is
/// computed from all readings that are not refreshed yet.
#[must_use]
pub fn of_stored(statement: &str, aggregates: &HashMap<&'static str, Aggregate>) -> String {
    let in_place =
        |text: String, (name, aggregate): (&&str, &Aggregate)| text.replace(name, &aggregate.stored);
    aggregates.iter().fold(statement.to_owned(), in_place)
}

impl Aggregate {
    /// Of these days, each with a number of devices: those that hold stored rows of at least so many. A day without stored
    /// rows is never among them. Reads no more rows than it is asked about.
    ///
    /// # Errors
    /// What the server says.
    pub async fn holding(
        &self,
        client: &impl GenericClient,
        days: &[(DayNumber, i64)],
    ) -> Result<Vec<DayNumber>, SqlError> {
        let (days, devices): (Vec<DayNumber>, Vec<i64>) = days.iter().copied().unzip();
        let sql = format!(
            "select w.day from unnest($1::int[], $2::bigint[]) as w(day, devices) \
            where (select count(*) from (select from {} where bucket = date '1970-01-01' + w.day limit w.devices) held) = w.devices",
            self.stored
        );
        // Bare: the catalogue's names have the prefix already.
        let found = tokio_postgres::GenericClient::query(client.bare(), &sql, &[&days, &devices]).await?;
        Ok(found.iter().map(|row| row.get(0)).collect())
    }

    /// Dates and devices stand in the text: a plan for any of them would open every chunk.
    fn patch(&self, devices: &str, days: &Range<DayNumber>) -> String {
        let Self {
            stored,
            definition,
            columns,
        } = self;
        let (start, end) = (date_of(days.start), date_of(days.end));
        let patched = format!(
            "device_id = any('{{{devices}}}'::uuid[]) and bucket >= timestamp '{start}' and bucket < timestamp '{end}'"
        );
        format!(
            "delete from {stored} where {patched}; \
            insert into {stored} ({columns}) select {columns} from ({definition}) computed where {patched}"
        )
    }
}

/// Writes the rows of these devices and days anew in each aggregate, in this order: one that is computed from another comes after
/// it. The days must have been refreshed before: a row above the watermark stays hidden, and would raise it over other devices'.
///
/// # Errors
/// What the server says; 55P03 while a refresh or another patch works on them.
pub async fn patch(
    transaction: &Transaction<'_>,
    aggregates: &[&Aggregate],
    devices: impl IntoIterator<Item = &Uuid>,
    days: &Range<DayNumber>,
) -> Result<(), SqlError> {
    let devices: Vec<String> = devices.into_iter().map(Uuid::to_string).collect();
    let devices = devices.join(",");
    let locked: Vec<&str> = aggregates
        .iter()
        .map(|aggregate| aggregate.stored.as_str())
        .collect();
    // Readers go on; a refresh that deletes and inserts at the same time would leave rows twice.
    let mut sql = format!(
        "set local lock_timeout = '500ms'; lock table {} in share row exclusive mode",
        locked.join(", ")
    );
    for aggregate in aggregates {
        sql.push_str("; ");
        sql.push_str(&aggregate.patch(&devices, days));
    }
    Ok(tokio_postgres::GenericClient::batch_execute(transaction.bare(), &sql).await?)
}
