//! PostgreSQL with TimescaleDB: sessions as libpq would open them, and what the server's errors mean.
//!
//! `timescale.url` takes libpq's parameters with libpq's meaning, its environment variables and files give defaults below
//! it. Of what libpq has, service files, GSS, `require_auth`, `requirepeer`, `sslcrldir` and logical replication are not
//! here; they are refused by name. Nothing below TLS 1.2 is spoken, and a certificate that is checked has to be X.509
//! version 3.
//!
//! # Who uses a session
//! An error whose class is [`Class::Transient`](pulseline_runtime::retry::Class) is waited out. The session may be gone
//! with it: before the next attempt ask `is_closed`, and [`needs_new_session`] for a server that was demoted, and connect
//! again, which looks for a host that will do.

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
pub use settings::{SessionAttrs, Settings, SslMode};
pub use tls::Checked;

const WHO_WE_ARE: &str = "select session_user, pg_catalog.current_database(), \
    pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery()";

/// Opens a session; it ends when the client is dropped. `application_name` is what the server calls it, unless
/// `timescale.url` or PGAPPNAME say otherwise. Certificate files are read each time.
///
/// # Errors
/// Settings that are wrong, a server that is away, is not the one that it should be, or refuses.
pub fn connect<'a>(
    timescale: &'a TimescaleConfig,
    application_name: &'a str,
) -> BoxFuture<'a, Result<Client, PostgresError>> {
    Box::pin(async move {
        let settings = Settings::parse(timescale)?;
        Ok(session::open(&settings, application_name).await?.client)
    })
}

/// Ends the statement that a session runs, over a connection that is made as `timescale.url` says.
///
/// # Errors
/// Settings that are wrong, a server that is away.
pub fn cancel<'a>(
    timescale: &'a TimescaleConfig,
    token: &'a CancelToken,
) -> BoxFuture<'a, Result<(), PostgresError>> {
    Box::pin(async move {
        let settings = Settings::parse(timescale)?;
        let checked = match &settings.tls {
            // A session without TLS is ended without.
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

/// What a session turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Host and port, or the path of a socket.
    pub server: String,
    /// The version of TLS, and how much of the server's certificate was checked; none for an open connection.
    pub tls: Option<(&'static str, Checked)>,
    /// Who we are to the server.
    pub user: String,
    /// The database.
    pub database: String,
    /// The server's version.
    pub version: String,
    /// True for a hot standby.
    pub is_standby: bool,
}

/// Opens a session and says what it is.
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
