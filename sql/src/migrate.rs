//! Forward-only migrations: all missing ones in one transaction, so a crash leaves no trace.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use futures_util::future::BoxFuture;
use pulseline_runtime::config::TimescaleConfig;
use sha2::{Digest, Sha256};

use crate::client::{Client, GenericClient, Transaction};
use crate::connect::connect;
use crate::error::SqlError;
use crate::functions;
use crate::schemas::Schemas;

/// Number, name, text. Never edited once released.
const MIGRATIONS: [(i32, &str, &str); 31] = [
    (1, "ops", include_str!("../migrations/0001_ops.sql")),
    (2, "raw", include_str!("../migrations/0002_raw.sql")),
    (3, "stage", include_str!("../migrations/0003_stage.sql")),
    (4, "agg", include_str!("../migrations/0004_agg.sql")),
    (5, "streams", include_str!("../migrations/0005_streams.sql")),
    (6, "readings", include_str!("../migrations/0006_readings.sql")),
    (7, "hierarchy", include_str!("../migrations/0007_hierarchy.sql")),
    (8, "sessions", include_str!("../migrations/0008_sessions.sql")),
    (9, "figures", include_str!("../migrations/0009_figures.sql")),
    (10, "people", include_str!("../migrations/0010_people.sql")),
    (
        11,
        "columnstore",
        include_str!("../migrations/0011_columnstore.sql"),
    ),
    (12, "roles", include_str!("../migrations/0012_roles.sql")),
    (13, "retention", include_str!("../migrations/0013_retention.sql")),
    (14, "backfills", include_str!("../migrations/0014_backfills.sql")),
    (15, "letters", include_str!("../migrations/0015_letters.sql")),
    (16, "erasure", include_str!("../migrations/0016_erasure.sql")),
    (17, "levels", include_str!("../migrations/0017_levels.sql")),
    (18, "chunks", include_str!("../migrations/0018_chunks.sql")),
    (
        19,
        "letter_positions",
        include_str!("../migrations/0019_letter_positions.sql"),
    ),
    (20, "pages", include_str!("../migrations/0020_pages.sql")),
    (
        21,
        "accounted_pages",
        include_str!("../migrations/0021_accounted_pages.sql"),
    ),
    (22, "grants", include_str!("../migrations/0022_grants.sql")),
    (
        23,
        "forced_days",
        include_str!("../migrations/0023_forced_days.sql"),
    ),
    (24, "catalogue", include_str!("../migrations/0024_catalogue.sql")),
    (25, "baselines", include_str!("../migrations/0025_baselines.sql")),
    (26, "owners", include_str!("../migrations/0026_owners.sql")),
    (27, "user_days", include_str!("../migrations/0027_user_days.sql")),
    (
        28,
        "sessions_of_people",
        include_str!("../migrations/0028_sessions_of_people.sql"),
    ),
    (29, "people", include_str!("../migrations/0029_people.sql")),
    (
        30,
        "unsettled_days",
        include_str!("../migrations/0030_unsettled_days.sql"),
    ),
    (31, "documents", include_str!("../migrations/0031_documents.sql")),
];

/// Held until the transaction ends: two at once take turns. A transaction-scoped lock works behind a pooler too.
const LOCK: &str = "select pg_advisory_xact_lock(hashtext('pulseline migrations'))";
/// True from TimescaleDB 2.29 on, whose catalogue names a chunk by its identifier alone.
const HAS_RELID: &str = "select exists (select from pg_attribute where attrelid = '_timescaledb_catalog.chunk'::regclass \
    and attname = 'relid' and not attisdropped)";
/// How migrations that were released before find a chunk in the catalogue, and how it is found where it has no name.
const CHUNK_BY_NAME: &str =
    "catalog.chunk k on k.schema_name = c.chunk_schema and k.table_name = c.chunk_name";
const CHUNK_BY_RELID: &str =
    "catalog.chunk k on k.relid = format('%I.%I', c.chunk_schema, c.chunk_name)::regclass";
/// The table of applied migrations.
const JOURNAL: &str = include_str!("../migrations/0000_journal.sql");

/// What [`migrate`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationReport {
    /// Names of the migrations that were applied now; empty when all were there.
    pub applied: Vec<&'static str>,
    /// The version after it.
    pub version: i32,
}

/// The version that this program needs.
#[must_use]
pub fn required_version() -> i32 {
    MIGRATIONS
        .iter()
        .map(|(version, ..)| *version)
        .max()
        .unwrap_or_default()
}

impl Schemas {
    /// True when they exist in the database.
    ///
    /// # Errors
    /// What the server says.
    pub async fn are_there(&self, client: &impl GenericClient) -> Result<bool, SqlError> {
        let sql = "select to_regnamespace($1::text) is not null";
        let ops = format!("{}ops", self.prefix());
        Ok(client.query_one(sql, &[&ops]).await?.get(0))
    }
}

/// The database's schema version; 0 when it has none.
///
/// # Errors
/// What the server says.
pub async fn installed_version(client: &impl GenericClient) -> Result<i32, SqlError> {
    if !has_journal(client).await? {
        return Ok(0);
    }
    let newest = format!(
        "select coalesce(max(version), 0) from {}",
        client.schemas().journal()
    );
    Ok(client.query_one(&newest, &[]).await?.get(0))
}

async fn has_journal(client: &impl GenericClient) -> Result<bool, SqlError> {
    let exists = "select to_regclass($1::text) is not null";
    Ok(client
        .query_one(exists, &[&client.schemas().journal()])
        .await?
        .get(0))
}

/// Connects to a database whose schema version this program supports.
///
/// # Errors
/// As [`connect`]; [`SqlError::TooOld`], which a migration fixes, and [`SqlError::TooNew`], which it does not.
pub fn open<'a>(
    timescale: &'a TimescaleConfig,
    application_name: &'a str,
) -> BoxFuture<'a, Result<Client, SqlError>> {
    Box::pin(async move {
        let client = connect(timescale, application_name).await?;
        require_version(&client).await?;
        Ok(client)
    })
}

/// Accepts a database whose schema version this program supports.
pub(crate) async fn require_version(client: &Client) -> Result<(), SqlError> {
    let (installed, required) = (installed_version(client).await?, required_version());
    match installed.cmp(&required) {
        Ordering::Less => Err(SqlError::TooOld { installed, required }),
        Ordering::Greater => Err(SqlError::TooNew { installed, required }),
        Ordering::Equal => Ok(()),
    }
}

/// Applies missing migrations. Safe to run twice, or concurrently.
///
/// # Errors
/// A server without the licensed `TimescaleDB`, an edited migration, a database newer than this program.
pub async fn migrate(timescale: &TimescaleConfig) -> Result<MigrationReport, SqlError> {
    migrate_to(timescale, required_version()).await
}

/// Applies missing migrations up to a version.
///
/// # Errors
/// As [`migrate`].
pub fn migrate_to(
    timescale: &TimescaleConfig,
    target: i32,
) -> BoxFuture<'_, Result<MigrationReport, SqlError>> {
    Box::pin(async move {
        let mut client = connect(timescale, "pulseline-migrate").await?;
        require_licensed(&client).await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LOCK).await?;
        if !has_journal(&transaction).await? {
            let create = transaction.schemas().render(JOURNAL);
            transaction.batch_execute(&create).await?;
        }
        let installed = installed_version(&transaction).await?;
        if installed > required_version() {
            return Err(SqlError::TooNew {
                installed,
                required: required_version(),
            });
        }
        let has_relid = transaction.query_one(HAS_RELID, &[]).await?.get(0);
        let mut report = MigrationReport {
            applied: Vec::new(),
            version: target.max(installed),
        };
        for (version, name, text) in MIGRATIONS {
            if version > target.max(installed) {
                break;
            }
            if version <= installed {
                refuse_edited(&transaction, version, text).await?;
                continue;
            }
            apply(&transaction, (version, name, text), has_relid).await?;
            if version >= functions::SINCE {
                functions::create(&transaction, transaction.schemas()).await?;
            }
            report.applied.push(name);
        }
        transaction.commit().await?;
        Ok(report)
    })
}

async fn apply(
    transaction: &Transaction<'_>,
    (version, name, text): (i32, &str, &str),
    has_relid: bool,
) -> Result<(), SqlError> {
    let schemas = transaction.schemas();
    let of_server = for_server(text, has_relid);
    transaction.batch_execute(&schemas.render(&of_server)).await?;
    let insert = format!(
        "insert into {} (version, name, checksum) values ($1, $2, $3)",
        schemas.journal()
    );
    transaction
        .execute(&insert, &[&version, &name, &checksum(text)])
        .await?;
    Ok(())
}

/// A migration's text for the catalogue that this server has. The checksum stays that of the text.
fn for_server(text: &str, has_relid: bool) -> Cow<'_, str> {
    if has_relid {
        Cow::Owned(text.replace(CHUNK_BY_NAME, CHUNK_BY_RELID))
    } else {
        Cow::Borrowed(text)
    }
}

async fn refuse_edited(client: &impl GenericClient, version: i32, text: &str) -> Result<(), SqlError> {
    let select = format!(
        "select checksum from {} where version = $1",
        client.schemas().journal()
    );
    let row = client.query_opt(&select, &[&version]).await?;
    match row.map(|row| row.get::<_, String>(0)) {
        Some(found) if found == checksum(text) => Ok(()),
        _ => Err(SqlError::Edited { version }),
    }
}

async fn require_licensed(client: &Client) -> Result<(), SqlError> {
    let extension = "select count(*) from pg_extension where extname = 'timescaledb'";
    if client.query_one(extension, &[]).await?.get::<_, i64>(0) == 0 {
        let available = "select count(*) from pg_available_extensions where name = 'timescaledb'";
        if client.query_one(available, &[]).await?.get::<_, i64>(0) == 0 {
            return Err(SqlError::Unlicensed("TimescaleDB".into()));
        }
        client
            .batch_execute("create extension if not exists timescaledb")
            .await?;
    }
    let license = client
        .query_one("select current_setting('timescaledb.license', true)", &[])
        .await?;
    judge(license.get::<_, Option<&str>>(0))
}

/// What `timescaledb.license` says: the Apache build calls itself `apache`.
fn judge(license: Option<&str>) -> Result<(), SqlError> {
    match license {
        Some("timescale") => Ok(()),
        other => Err(SqlError::Unlicensed(format!(
            "Timescale-licensed TimescaleDB (timescaledb.license is {})",
            other.unwrap_or("not set")
        ))),
    }
}

fn checksum(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_licensed_part_that_a_server_lacks() {
        assert!(judge(Some("timescale")).is_ok());
        for (license, shown) in [(Some("apache"), "apache"), (None, "not set")] {
            let text = judge(license).unwrap_err().to_string();
            assert!(
                text.contains(shown) && text.contains("continuous aggregates need"),
                "{text}"
            );
        }
    }

    #[test]
    fn every_migration_that_names_a_chunk_of_the_catalogue_is_given_its_identifier_where_it_has_no_name() {
        let names = |text: &str| text.contains("k on k.schema_name");
        let naming = MIGRATIONS.iter().filter(|(_, _, text)| names(text));
        let naming: Vec<_> = naming.map(|(version, _, _)| *version).collect();
        assert_eq!(naming, [11, 18]);
        for (version, _, text) in MIGRATIONS {
            assert!(!names(&for_server(text, true)), "{version}");
            assert_eq!(for_server(text, false), text);
        }
    }

    #[test]
    fn migrations_are_numbered_without_gaps() {
        let numbers: Vec<_> = MIGRATIONS.iter().map(|(version, ..)| *version).collect();
        assert_eq!(numbers, (1..=required_version()).collect::<Vec<_>>());
    }
}
