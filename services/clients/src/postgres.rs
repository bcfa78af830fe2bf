//! PostgreSQL with TimescaleDB: libpq-compatible sessions, and the meaning of errors.
//!
//! `timescale.url` accepts libpq's parameters; libpq's environment variables and files supply defaults. Service files, GSS,
//! `require_auth`, `requirepeer`, `sslcrldir` and logical replication are not supported and are refused by name. TLS 1.2 is
//! the minimum, and a verified certificate must be X.509 version 3.
//!
//! # Retries
//! Retry an error of [`Class::Transient`](pulseline_runtime::retry::Class). The session may be unusable afterwards: before
//! the next attempt check `is_closed` and [`needs_new_session`], and reconnect if needed, which selects a suitable host.

mod class;
mod conninfo;
mod error;
mod key;
mod parameters;
mod passfile;
mod session;
mod settings;
mod tls;
mod tls_class;
mod verify;

use futures_util::future::BoxFuture;
use pulseline_runtime::config::TimescaleConfig;
use tokio_postgres::{CancelToken, Client, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use class::{class_of, class_of_state, explain, needs_new_session};
pub use error::{ConnectError, PostgresError, SettingsError};
pub use settings::{SessionAttrs, Settings};
pub use tls::{Checked, SslMode};

const WHO_WE_ARE: &str = "select session_user, pg_catalog.current_database(), \
    pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery()";

/// Opens a session; it ends when the client is dropped. `timescale.url` and PGAPPNAME override `application_name`.
/// Certificate files are read each time.
///
/// # Errors
/// Wrong settings, or a server that is unreachable, of the wrong kind, or refuses the session.
pub fn connect<'a>(
    timescale: &'a TimescaleConfig,
    application_name: &'a str,
) -> BoxFuture<'a, Result<Client, PostgresError>> {
    Box::pin(async move {
        let settings = Settings::parse(timescale)?;
        Ok(session::open(&settings, application_name).await?.client)
    })
}

/// Cancels the statement of a session, over a connection with the settings of `timescale.url`.
///
/// # Errors
/// Wrong settings, or an unreachable server.
pub fn cancel<'a>(
    timescale: &'a TimescaleConfig,
    token: &'a CancelToken,
) -> BoxFuture<'a, Result<(), PostgresError>> {
    Box::pin(async move {
        let settings = Settings::parse(timescale)?;
        let checked = match &settings.tls {
            // A session without TLS is cancelled without TLS.
            Some(tls) => {
                token
                    .cancel_query(MakeRustlsConnect::new(tls.config.clone()))
                    .await
            }
            None => token.cancel_query(NoTls).await,
        };
        Ok(checked?)
    })
}

/// Facts about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Host and port, or the path of a socket.
    pub server: String,
    /// TLS version and certificate verification; none without TLS.
    pub tls: Option<(&'static str, Checked)>,
    /// Our user at the server.
    pub user: String,
    /// The database.
    pub database: String,
    /// The server's version.
    pub version: String,
    /// True for a hot standby.
    pub is_standby: bool,
}

/// Opens a session and describes it.
///
/// # Errors
/// As [`connect`].
pub async fn describe(
    timescale: &TimescaleConfig,
    application_name: &str,
) -> Result<Description, PostgresError> {
    let settings = Settings::parse(timescale)?;
    let opened = session::open(&settings, application_name).await?;
    let said = opened.client.simple_query(WHO_WE_ARE).await?;
    let field = |column: usize| {
        let mut rows = said.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(column),
            _ => None,
        });
        rows.next().unwrap_or_default().to_owned()
    };
    Ok(Description {
        server: opened.server,
        tls: opened
            .tls
            .zip(settings.tls.as_ref())
            .map(|(version, tls)| (version, tls.checked)),
        user: field(0),
        database: field(1),
        version: field(2),
        is_standby: field(3) == "t",
    })
}
