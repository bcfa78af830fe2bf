//! Checks MongoDB, for `config check`.

use std::collections::BTreeSet;

use bson::{Bson, Document, doc};
use futures_util::future::BoxFuture;
use pulseline_runtime::config::MongoConfig;

use super::{Database, Error, MongoOpenError, describe};
use crate::hop::HopReport;
use crate::tls;

/// Required actions and their purpose.
const NEEDED: [(&str, &str); 5] = [
    ("find", "every service reads documents"),
    ("insert", "the sink stores documents"),
    ("createIndex", "the sink creates indexes"),
    ("changeStream", "the loader reads change streams"),
    ("remove", "forget deletes documents"),
];

/// A failed check.
#[derive(Debug, thiserror::Error)]
pub enum MongoCheckError {
    /// No client could be created.
    #[error(transparent)]
    Open(#[from] MongoOpenError),
    /// The server did not answer, or refused.
    #[error("MongoDB: {}", describe(.0))]
    Asked(#[source] Box<Error>),
}

/// Connects like the services, and reports missing permissions.
///
/// # Errors
/// Wrong settings, a refusal, an outage.
pub fn check(config: &MongoConfig) -> BoxFuture<'_, Result<HopReport, MongoCheckError>> {
    Box::pin(async move {
        let database = super::open(config, "pulseline-check").await?;
        let checked = server_status(&database).await;
        let tls = match checked.is_ok() {
            true => tls_of(config).await,
            false => None,
        };
        database.close().await;
        let (server, status) = checked.map_err(|error| MongoCheckError::Asked(Box::new(error)))?;
        let (identity, missing) = rights(&status, &config.database);
        Ok(HopReport {
            hop: "MongoDB",
            server,
            tls,
            identity,
            missing,
        })
    })
}

async fn server_status(database: &Database) -> Result<(String, Document), Error> {
    let database = database.driver();
    let hello = database.run_command(doc! { "hello": 1 }).await?;
    let kind = match (hello.get_str("setName"), hello.get_str("msg")) {
        (Ok(name), _) => format!("replica set {name}"),
        (_, Ok("isdbgrid")) => "sharded cluster".into(),
        _ => "a server without change streams".into(),
    };
    let status = database
        .run_command(doc! { "connectionStatus": 1, "showPrivileges": true })
        .await?;
    Ok((kind, status))
}

/// Our identity and the missing actions.
fn rights(status: &Document, database: &str) -> (String, Vec<String>) {
    let none = Document::new();
    let info = status.get_document("authInfo").unwrap_or(&none);
    let list = |name: &str| info.get_array(name).cloned().unwrap_or_default();
    let user = list("authenticatedUsers");
    let Some(user) = user.first().and_then(Bson::as_document) else {
        // Without authentication everything is allowed.
        return ("anonymous (no authentication)".into(), Vec::new());
    };
    let name = format!(
        "{}@{}",
        user.get_str("user").unwrap_or("?"),
        user.get_str("db").unwrap_or("?")
    );
    let privileges = list("authenticatedUserPrivileges");
    if privileges.is_empty() {
        return (name, Vec::new());
    }
    let allowed: BTreeSet<&str> = privileges
        .iter()
        .filter_map(Bson::as_document)
        .filter(|privilege| covers(privilege, database))
        .filter_map(|privilege| privilege.get_array("actions").ok())
        .flatten()
        .filter_map(Bson::as_str)
        .collect();
    let missing = NEEDED
        .iter()
        .filter(|(action, _)| !allowed.contains(action) && !allowed.contains("anyAction"))
        .map(|(action, purpose)| format!("the action {action} on {database} ({purpose})"));
    (name, missing.collect())
}

fn covers(privilege: &Document, database: &str) -> bool {
    let Ok(resource) = privilege.get_document("resource") else {
        return false;
    };
    resource.get_bool("anyResource").unwrap_or(false)
        || resource
            .get_str("db")
            .is_ok_and(|name| name.is_empty() || name == database)
}

async fn tls_of(config: &MongoConfig) -> Option<String> {
    let address = super::first_tls_address(config).await?;
    Some(tls::version(&address).await.unwrap_or_else(|| "TLS".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(actions: &[&str]) -> Document {
        doc! { "authInfo": {
            "authenticatedUsers": [{ "user": "pulseline", "db": "admin" }],
            "authenticatedUserPrivileges": [{ "resource": { "db": "pulseline", "collection": "" }, "actions": actions }],
        } }
    }

    #[test]
    fn what_nothing_allows_is_named_with_what_it_is_for() {
        let (who, missing) = rights(&status(&["find", "insert", "createIndex", "remove"]), "pulseline");
        assert_eq!(who, "pulseline@admin");
        assert!(
            missing.len() == 1 && missing[0].contains("changeStream"),
            "{missing:?}"
        );
        let (_, missing) = rights(&status(&["find"]), "other");
        assert_eq!(missing.len(), NEEDED.len());
        assert!(rights(&doc! {}, "pulseline").1.is_empty());
    }
}
