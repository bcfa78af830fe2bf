//! Days, sessions and people: compared row by row and column by column, because there are few.

use std::collections::BTreeMap;

use bson::RawDocument;
use pulseline_clients::mongo::Database;
use pulseline_schemas::dead_letter::WHOLE;
use pulseline_schemas::pages::Order;
use pulseline_sql::{Client, GenericClient};
use tokio_postgres::Row;

use super::checksum::could_be_lived;
use super::expected::ExpectedDeadLetters;
use super::pages::{self, Reader};
use super::tables::{Column, Form, Table};
use crate::error::AuditError;
use crate::warehouse::Loaded;

const DAY_MS: i64 = 86_400_000;

/// What makes one version of a row later than another: synced_at, event_id, place in the upload.
type Rank = (i64, String, usize);

/// Compares every row of a table with the newest version among the documents, and looks up the dead letters that these must have.
pub(crate) async fn compare_whole(
    table: &Table,
    database: &Database,
    client: &mut Client,
) -> Result<Vec<String>, AuditError> {
    let snapshot = client.snapshot().await?;
    let loaded = Loaded::read(&snapshot, table.stream.topic()).await?;
    let rows = snapshot.query(&statement(table), &[]).await?;
    snapshot.rollback().await?;
    let mut newest: BTreeMap<String, (Rank, String)> = BTreeMap::new();
    let collection = database.collection(table.stream.collection());
    let mut dead_letters = ExpectedDeadLetters::new(table.stream, database, client);
    let mut reader = Reader::new(collection, pages::pages(Order::of(table.stream)));
    while let Some(reply) = reader.next().await? {
        for document in reply.documents()? {
            if loaded.holds(document) {
                for item in take(table, document, &mut newest)? {
                    dead_letters.expect(document, item);
                }
            } else if loaded.is_dead(document) {
                dead_letters.expect(document, WHOLE);
            }
        }
        dead_letters.query_many().await?;
    }
    let name = table.stream.raw_table();
    let mut differences = Vec::new();
    for row in rows {
        let (key, found) = shown(table, &row)?;
        let expected = newest.remove(&key).map(|(_, shown)| shown);
        if expected.as_ref() != Some(&found) {
            let expected = expected.unwrap_or_else(|| "nothing".into());
            differences.push(format!(
                "{name} {key}: {found}, but MongoDB's documents give {expected}"
            ));
        }
    }
    differences.extend(newest.into_keys().map(|key| format!("{name} {key}: missing")));
    differences.extend(dead_letters.missing().await?);
    Ok(differences)
}

/// All columns as text, then what belongs to the row.
fn statement(table: &Table) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let name = column.name;
            let text = match column.form {
                Form::Text | Form::Json | Form::Day => format!("{name}::text"),
                Form::Float => format!("encode(float8send({name}), 'hex')"),
                Form::Time => format!("(extract(epoch from {name}) * 1000)::bigint::text"),
            };
            format!("coalesce({text}, '-')")
        })
        .collect();
    let children = table.children.map_or("''", |children| children.sql);
    format!(
        "select {}, event_id::text, {children} from {} t",
        columns.join(", "),
        table.stream.raw_table()
    )
}

fn shown(table: &Table, row: &Row) -> Result<(String, String), AuditError> {
    let mut values = Vec::new();
    for (index, column) in table.columns.iter().enumerate() {
        let text: &str = row.get(index);
        values.push(match column.form {
            Form::Json if text != "-" => serde_json::from_str::<serde_json::Value>(text)
                .map_err(|error| AuditError::Unexpected(error.to_string()))?
                .to_string(),
            _ => text.to_owned(),
        });
    }
    let (event_id, children): (&str, Option<&str>) = (row.get(values.len()), row.get(values.len() + 1));
    Ok(split(table, &values, event_id, children.unwrap_or_default()))
}

fn split(table: &Table, values: &[String], event_id: &str, children: &str) -> (String, String) {
    let (key, rest) = values.split_at(table.keys);
    (key.join(" "), format!("{} {event_id} {children}", rest.join(" ")))
}

/// Puts a document's rows among the newest, where they are newer. Gives the items that are dead letters instead.
fn take(
    table: &Table,
    document: &RawDocument,
    newest: &mut BTreeMap<String, (Rank, String)>,
) -> Result<Vec<i32>, AuditError> {
    let synced_at = document.get_datetime("synced_at")?.timestamp_millis();
    let event_id = document.get_str("_id")?;
    let mut put = |item: usize, values: &[String]| -> Result<(), AuditError> {
        let children = table
            .children
            .map(|children| (children.read)(document))
            .transpose()?;
        let (key, shown) = split(table, values, event_id, &children.unwrap_or_default());
        let rank = (synced_at, event_id.to_owned(), item);
        if newest.get(&key).is_none_or(|(kept, _)| *kept < rank) {
            newest.insert(key, (rank, shown));
        }
        Ok(())
    };
    if !table.is_of_samples {
        put(0, &values(table, document, document)?)?;
        return Ok(Vec::new());
    }
    let mut refused = Vec::new();
    for (item, (metric, is_kept)) in samples(table, document)?.into_iter().enumerate() {
        if is_kept {
            put(item, &values(table, document, metric)?)?;
        } else {
            refused.push(i32::try_from(item).unwrap_or(i32::MAX));
        }
    }
    Ok(refused)
}

/// For each item of a document whether it is inside the guards; none where a document is one row.
pub(super) fn kept_items(table: &Table, document: &RawDocument) -> Result<Vec<bool>, AuditError> {
    if !table.is_of_samples {
        return Ok(Vec::new());
    }
    let all = samples(table, document)?;
    Ok(all.into_iter().map(|(_, is_kept)| is_kept).collect())
}

/// The samples of a document; false beside those that are dead letters of their own.
fn samples<'a>(table: &Table, document: &'a RawDocument) -> Result<Vec<(&'a RawDocument, bool)>, AuditError> {
    let synced_at = document.get_datetime("synced_at")?.timestamp_millis();
    let offset = document.get_i32("utc_offset_minutes")?;
    let mut all = Vec::new();
    for metric in document.get_array("metrics")? {
        let bson::RawBsonRef::Document(metric) = metric? else {
            return Err(AuditError::Unexpected("a metric is not a document".into()));
        };
        all.push((metric, is_kept(table, metric, (offset, synced_at))?));
    }
    Ok(all)
}

/// False for what is a dead letter of its own.
fn is_kept(table: &Table, metric: &RawDocument, (offset, synced_at): (i32, i64)) -> Result<bool, AuditError> {
    let day: jiff::civil::Date = metric
        .get_str("local_date")?
        .parse()
        .map_err(|_| AuditError::Unexpected("a local_date is not a date".into()))?;
    let local_ms = i64::from(pulseline_sql::periods::number_of(day)) * DAY_MS;
    let Some((name, range)) = &table.range else {
        return Ok(could_be_lived(local_ms, offset, synced_at));
    };
    let value = metric.get(name)?.and_then(number).unwrap_or(f64::NAN);
    Ok(range.contains(&value) && could_be_lived(local_ms, offset, synced_at))
}

fn number(value: bson::RawBsonRef<'_>) -> Option<f64> {
    value.as_f64().or_else(|| value.as_i32().map(f64::from))
}

fn values(table: &Table, document: &RawDocument, of: &RawDocument) -> Result<Vec<String>, AuditError> {
    let value = |column: &Column| -> Result<String, AuditError> {
        if column.field == "extra" {
            return extra(table, of);
        }
        let from = if column.is_of_envelope { document } else { of };
        let found = from.get(column.field)?;
        let kept = || {
            let extra = from.get_document("extra").ok()?;
            extra.get(column.field).ok()?
        };
        let Some(value) = found.or_else(kept) else {
            return Ok("-".into());
        };
        Ok(match column.form {
            Form::Float => format!("{:016x}", number(value).unwrap_or(f64::NAN).to_bits()),
            Form::Time => value
                .as_datetime()
                .map(|at| at.timestamp_millis().to_string())
                .unwrap_or_default(),
            Form::Text | Form::Day => match value {
                bson::RawBsonRef::String(text) => text.to_owned(),
                bson::RawBsonRef::Int32(value) => value.to_string(),
                bson::RawBsonRef::Int64(value) => value.to_string(),
                bson::RawBsonRef::Boolean(value) => value.to_string(),
                other => format!("{other:?}"),
            },
            Form::Json => serde_json::to_value(value)
                .map_err(|error| AuditError::Unexpected(error.to_string()))?
                .to_string(),
        })
    };
    table.columns.iter().map(value).collect()
}

/// What stands under `extra`, without fields that are columns of this version and that the document itself lacks: these have
/// moved into their columns. What a part of such a field kept for itself, as a zone its energy, stays.
fn extra(table: &Table, document: &RawDocument) -> Result<String, AuditError> {
    let Some(found) = document.get("extra")? else {
        return Ok("-".into());
    };
    let found = serde_json::to_value(found).map_err(|error| AuditError::Unexpected(error.to_string()))?;
    let serde_json::Value::Object(mut rest) = found else {
        return Err(AuditError::Unexpected("extra is not a document".into()));
    };
    let lacks = |name: &str| matches!(document.get(name), Ok(None | Some(bson::RawBsonRef::Null)));
    let has_moved = |name: &str| table.columns.iter().any(|column| column.field == name) && lacks(name);
    rest.retain(|name, _| !has_moved(name));
    if rest.is_empty() {
        return Ok("-".into());
    }
    Ok(serde_json::Value::Object(rest).to_string())
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::super::tables;
    use super::*;

    #[test]
    fn p_8_extra_keeps_what_parts_of_a_column_lack_and_not_what_has_moved_into_one() {
        let zones = rawdoc! { "0": { "caloriesOut": 39.5 } };
        let document = rawdoc! {
            "heart_rate_zones": [{ "name": "Peak" }],
            "extra": { "heart_rate_zones": zones, "steps": 5, "shoe": 44 },
        };
        let kept = extra(&tables::exercises(), &document).unwrap();
        assert_eq!(
            kept,
            r#"{"heart_rate_zones":{"0":{"caloriesOut":39.5}},"shoe":44}"#
        );
    }
}
