//! Sleeps and users: compared one by one, because there are few.

use std::collections::BTreeMap;

use bson::{RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use mongodb::Database;
use pulseline_schemas::Stream;
use tokio_postgres::{Client, IsolationLevel};

use super::checksum::could_be_lived;
use crate::error::AuditError;
use crate::warehouse::Loaded;

const SLEEPS: &str = "select s.device_id::text || ' ' || s.log_id, s.event_id::text || ' asleep ' || s.minutes_asleep || ' levels ' || \
    (select count(*) from raw.sleep_levels l where l.device_id = s.device_id and l.log_id = s.log_id) from raw.sleeps s";
const USERS: &str = "select user_id::text, event_id::text from raw.users";

/// Key, rank and shown value of a session or profile.
type Version = (String, (i64, String), String);

/// Reads a document; none when it belongs to no row.
type Read = fn(&RawDocumentBuf) -> Result<Option<Version>, AuditError>;

/// Compares every sleep and every user with the newest version among the documents.
pub(crate) async fn compare_whole(
    stream: Stream,
    database: &Database,
    client: &mut Client,
) -> Result<Vec<String>, AuditError> {
    let (sql, read): (_, Read) = match stream {
        Stream::Sleeps => (SLEEPS, sleep),
        _ => (USERS, user),
    };
    let builder = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true);
    let snapshot = builder.start().await?;
    let loaded = Loaded::read(&snapshot, stream.topic()).await?;
    let rows = snapshot.query(sql, &[]).await?;
    snapshot.rollback().await?;
    let mut newest: BTreeMap<String, ((i64, String), String)> = BTreeMap::new();
    let mut cursor = database
        .collection::<RawDocumentBuf>(stream.collection())
        .find(doc! {})
        .await?;
    while let Some(document) = cursor.try_next().await? {
        if !loaded.holds(&document) {
            continue;
        }
        let Some((key, rank, shown)) = read(&document)? else {
            continue;
        };
        if newest.get(&key).is_none_or(|(held, _)| *held < rank) {
            newest.insert(key, (rank, shown));
        }
    }
    let mut differences = Vec::new();
    for row in rows {
        let (key, found): (String, String) = (row.get(0), row.get(1));
        let expected = newest.remove(&key).map(|(_, shown)| shown);
        if expected.as_ref() != Some(&found) {
            let expected = expected.unwrap_or_else(|| "nothing".into());
            differences.push(format!(
                "{} {key}: {found}, but MongoDB's documents give {expected}",
                stream.raw_table()
            ));
        }
    }
    differences.extend(
        newest
            .into_keys()
            .map(|key| format!("{} {key}: missing", stream.raw_table())),
    );
    Ok(differences)
}

fn sleep(document: &RawDocumentBuf) -> Result<Option<Version>, AuditError> {
    let synced_at = document.get_datetime("synced_at")?.timestamp_millis();
    let start = document.get_datetime("created_at")?.timestamp_millis();
    if !could_be_lived(start, document.get_i32("utc_offset_minutes")?, synced_at) {
        return Ok(None);
    }
    let levels = document.get_document("levels")?;
    let count = |name| Ok::<_, AuditError>(levels.get_array(name)?.into_iter().count());
    let event_id = document.get_str("_id")?.to_owned();
    let device = document.get_str("device_id")?;
    let log_id = document.get_i64("log_id")?;
    let asleep = document.get_i32("minutes_asleep")?;
    let shown = format!(
        "{event_id} asleep {asleep} levels {}",
        count("data")? + count("short_data")?
    );
    Ok(Some((format!("{device} {log_id}"), (synced_at, event_id), shown)))
}

fn user(document: &RawDocumentBuf) -> Result<Option<Version>, AuditError> {
    let synced_at = document.get_datetime("synced_at")?.timestamp_millis();
    let event_id = document.get_str("_id")?.to_owned();
    let user = document.get_str("user_id")?.to_owned();
    Ok(Some((user, (synced_at, event_id.clone()), event_id)))
}
