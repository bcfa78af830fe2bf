//! Checks the warehouse, for `config check`.

use futures_util::future::BoxFuture;
use pulseline_clients::HopReport;
use pulseline_clients::postgres::describe;
use pulseline_runtime::config::TimescaleConfig;

use crate::client::GenericClient;
use crate::connect::connect;
use crate::error::SqlError;

const APPLICATION: &str = "pulseline-check";
/// The group roles, and the commands that need each.
const ROLES: [(&str, &str); 4] = [
    ("pulseline_loader", "load, backfill, heal and rebuild"),
    ("pulseline_compactor", "compact and rebuild"),
    ("pulseline_auditor", "status, verify and console"),
    ("pulseline_eraser", "forget"),
];

/// Connects as the services would, and reports what is missing.
///
/// # Errors
/// Wrong settings, a refusal, an outage.
pub fn check(timescale: &TimescaleConfig) -> BoxFuture<'_, Result<HopReport, SqlError>> {
    Box::pin(async move {
        let described = describe(timescale, APPLICATION).await?;
        let client = connect(timescale, APPLICATION).await?;
        let mut missing = Vec::new();
        let extension = client
            .query_opt(
                "select extversion from pg_extension where extname = 'timescaledb'",
                &[],
            )
            .await?;
        let version = extension.map(|row| row.get::<_, String>(0));
        if version.is_none() {
            missing.push("the extension timescaledb: `create extension timescaledb`".to_owned());
        }
        if described.is_standby {
            missing
                .push("a writable server: add target_session_attrs=read-write to timescale.url".to_owned());
        }
        for (role, commands) in ROLES {
            let is_member =
                "select pg_has_role(current_user, oid, 'member') from pg_roles where rolname = $1";
            match client.query_opt(is_member, &[&role]).await? {
                Some(row) if row.get(0) => {}
                Some(_) => missing.push(format!(
                    "the role {role} ({commands}): grant {role} to {}",
                    described.user
                )),
                None => {
                    missing.push("the schema: run `pulseline migrate`".to_owned());
                    break;
                }
            }
        }
        let version = version.unwrap_or_else(|| "missing".into());
        Ok(HopReport {
            hop: "TimescaleDB",
            server: format!("TimescaleDB {version}"),
            tls: described.tls.map(|(version, _)| version.to_owned()),
            identity: format!("{} in {}", described.user, described.database),
            missing,
        })
    })
}
