//! Searches a warehouse for what is left of a person.

use pulseline_sql::{Client, GenericClient};

use crate::eraser::days::condition;
use crate::eraser::dead_letters::{DEAD_LETTERS, dead_letters_of_days};
use crate::eraser::error::EraserError;
use crate::eraser::person::{Person, Scope};
use crate::eraser::report::Count;
use crate::eraser::warehouse::{STORED, counted};

/// Every relation with a column for a person or device. The marks of days that a compactor will refresh are reported separately.
const RELATIONS: &str = "select format('%I.%I', table_schema, table_name), string_agg(format('%I = any($1)', column_name), ' or ') \
    from information_schema.columns where table_schema = any($1) \
    and column_name in ('device_id', 'user_id') \
    and (table_schema, table_name) not in (('ops', 'dirty_days'), ('next_ops', 'dirty_days')) \
    group by table_schema, table_name order by 1";
/// Every relation with a column for a device, with all its columns.
const OF_DEVICES: &str = "select format('%I.%I', table_schema, table_name), array_agg(column_name::text) \
    from information_schema.columns where table_schema = any($1) \
    and (table_schema, table_name) not in (('ops', 'dirty_days'), ('next_ops', 'dirty_days')) \
    group by table_schema, table_name having bool_or(column_name = 'device_id') order by 1";

/// The person's remaining rows: every table and view with a person or device column, and dead letters by their bytes. Of a
/// device that belongs to another person on other days, the person's days count.
pub(crate) async fn search(client: &Client, person: &Person) -> Result<Vec<Count>, EraserError> {
    let mut found: Vec<(String, i64)> = Vec::new();
    for row in client.query(RELATIONS, &[&client.schemas().names()]).await? {
        let (relation, condition): (String, String) = (row.get(0), row.get(1));
        let sql = format!("select count(*) from {relation} where {condition}");
        found.push((relation, client.query_one(&sql, &[&person.ids()]).await?.get(0)));
    }
    for scope in person.scopes_of_days() {
        found.extend(search_days(client, &scope).await?);
    }
    for row in client.query(STORED, &[&client.schemas().names()]).await? {
        let stored: String = row.get(1);
        for scope in person.scopes() {
            let on_days = scope.on("bucket");
            let sql = format!("select count(*) from {stored} where device_id = any($1){on_days}");
            let count = client.query_one(&sql, &[&scope.devices]).await?.get(0);
            found.push((stored.clone(), count));
        }
    }
    let dead_letters = format!("select count(*) {DEAD_LETTERS}");
    let dead_letters = client.query_one(&dead_letters, &[&person.texts()]).await?;
    let place = format!("{}ops.dead_letters", client.schemas().prefix());
    found.push((place.clone(), dead_letters.get(0)));
    let of_days = dead_letters_of_days(client, person).await?.len();
    found.push((place, i64::try_from(of_days).unwrap_or(i64::MAX)));
    Ok(summed(found))
}

/// The rows of a scope that is some days of devices.
async fn search_days(client: &Client, scope: &Scope) -> Result<Vec<(String, i64)>, EraserError> {
    let days = scope.days.as_deref().unwrap_or_default();
    let prefix = client.schemas().prefix();
    let mut found = Vec::new();
    for row in client.query(OF_DEVICES, &[&client.schemas().names()]).await? {
        let (relation, columns): (String, Vec<String>) = (row.get(0), row.get(1));
        let name = relation.strip_prefix(prefix).unwrap_or(&relation);
        if let Some(condition) = condition(name, &columns, days) {
            let sql = format!("select count(*) from {relation} r where {condition}");
            let count = client.query_one(&sql, &[&scope.devices]).await?.get(0);
            found.push((relation, count));
        }
    }
    Ok(found)
}

/// One count for each place that has any.
fn summed(found: Vec<(String, i64)>) -> Vec<Count> {
    let mut counts: Vec<Count> = Vec::new();
    for (place, count) in found {
        let count = u64::try_from(count).unwrap_or_default();
        match counts.iter_mut().find(|known| known.place == place) {
            Some(known) => known.count += count,
            None => counts.push(counted(&place, count)),
        }
    }
    counts.retain(|count| count.count > 0);
    counts
}
