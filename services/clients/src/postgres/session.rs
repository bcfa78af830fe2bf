//! Opens a session: tries hosts and their addresses in turn, with or without TLS.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use pulseline_runtime::retry::{Class, Classify as _};
use tokio_postgres::config::SslMode as DriverMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::class::{explain, explain_connect, is_about_encryption};
use super::error::{ConnectError, PostgresError};
use super::settings::{Address, Host, SessionAttrs, Settings};
use super::tls::SslMode;

/// Distinguishes primary from standby, and read-write from read-only.
const WHAT_IT_IS: &str =
    "select pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only') = 'on'";

/// A session and its connection.
pub(super) struct Session {
    pub(super) client: Client,
    /// Host and port.
    pub(super) server: String,
    /// TLS version; none without TLS.
    pub(super) tls: Option<&'static str>,
}

/// Opens the first suitable session. As in libpq, an unreachable or unsuitable host leads to the next one, while a refusal
/// ends the search.
pub(super) async fn open(settings: &Settings, application_name: &str) -> Result<Session, PostgresError> {
    let wanted: &[SessionAttrs] = match settings.session_attrs {
        SessionAttrs::PreferStandby => &[SessionAttrs::Standby, SessionAttrs::Any],
        SessionAttrs::Any => &[SessionAttrs::Any],
        SessionAttrs::ReadWrite => &[SessionAttrs::ReadWrite],
        SessionAttrs::ReadOnly => &[SessionAttrs::ReadOnly],
        SessionAttrs::Primary => &[SessionAttrs::Primary],
        SessionAttrs::Standby => &[SessionAttrs::Standby],
    };
    let mut config = settings.config.clone();
    if config.get_application_name().is_none() {
        config.application_name(application_name);
    }
    let mut failed = Vec::new();
    for attrs in wanted {
        for host in shuffled(&settings.hosts, settings.is_shuffled) {
            let server = host.name();
            match open_host(settings, &config, host, *attrs).await {
                Ok((client, tls)) => return Ok(Session { client, server, tls }),
                Err(source) => {
                    let passes = source.class() == Class::Transient;
                    let source = Box::new(source);
                    let error = PostgresError::Connect { server, source };
                    if !passes {
                        return Err(error);
                    }
                    failed.push(error);
                }
            }
        }
    }
    if settings.hosts.len() == 1
        && let Some(only) = failed.pop()
    {
        return Err(only);
    }
    Err(PostgresError::NoHost(failed))
}

fn shuffled<T>(all: &[T], is_shuffled: bool) -> Vec<&T> {
    let mut order: Vec<_> = all.iter().enumerate().collect();
    if is_shuffled {
        let chance = RandomState::new();
        order.sort_by_key(|(i, _)| chance.hash_one(i));
    }
    order.into_iter().map(|(_, one)| one).collect()
}

type Opened = (Client, Option<&'static str>);

/// Tries each address of a host.
async fn open_host(
    settings: &Settings,
    config: &Config,
    host: &Host,
    attrs: SessionAttrs,
) -> Result<Opened, ConnectError> {
    let mut config = config.clone();
    config.port(host.port);
    if !host.password.is_empty() {
        config.password(host.password.expose());
    }
    let (name, addresses) = match &host.address {
        Address::Socket(path) => {
            config.host_path(path);
            return within(
                settings.connect_timeout,
                negotiate(settings, &config, true, attrs),
            )
            .await;
        }
        Address::Ip(name, ip) => (name, vec![*ip]),
        Address::Name(name) => (name, lookup(settings, name, host.port).await?),
    };
    config.host(name);
    let mut last = ConnectError::Lookup(std::io::Error::other("the name has no address"));
    for address in shuffled(&addresses, settings.is_shuffled) {
        let mut config = config.clone();
        config.hostaddr(*address);
        match within(
            settings.connect_timeout,
            negotiate(settings, &config, false, attrs),
        )
        .await
        {
            Err(error) if error.class() == Class::Transient => last = error,
            done => return done,
        }
    }
    Err(last)
}

async fn lookup(settings: &Settings, name: &str, port: u16) -> Result<Vec<IpAddr>, ConnectError> {
    let looking = async {
        let found = tokio::net::lookup_host((name, port)).await;
        found.map_err(ConnectError::Lookup)
    };
    let found = within(settings.connect_timeout, looking).await?;
    Ok(found.map(|address| address.ip()).collect())
}

async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    // Boxed, because a handshake's state is large.
    let work = Box::pin(work);
    match limit {
        None => work.await,
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .unwrap_or(Err(ConnectError::TimedOut(limit))),
    }
}

/// Connects with TLS, without, or both in turn, according to the mode.
async fn negotiate(
    settings: &Settings,
    config: &Config,
    is_socket: bool,
    attrs: SessionAttrs,
) -> Result<Opened, ConnectError> {
    let (first, second) = match settings.mode {
        // As in libpq, a local socket never uses TLS.
        _ if is_socket => (DriverMode::Disable, None),
        SslMode::Disable => (DriverMode::Disable, None),
        SslMode::Allow => (DriverMode::Disable, Some(DriverMode::Require)),
        SslMode::Prefer => (DriverMode::Prefer, Some(DriverMode::Disable)),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (DriverMode::Require, None),
    };
    let refused = match start(settings, config, first).await {
        Ok(opened) => return examined(opened, attrs).await,
        Err(error) => error,
    };
    let Some(second) = second.filter(|_| is_about_encryption(&refused)) else {
        return Err(driver(refused, None));
    };
    match start(settings, config, second).await {
        Ok(opened) => examined(opened, attrs).await,
        Err(error) => Err(driver(error, Some(explain_connect(&refused)))),
    }
}

fn driver(source: tokio_postgres::Error, before: Option<String>) -> ConnectError {
    // Do not repeat equal errors.
    let before = before.filter(|before| *before != explain_connect(&source));
    ConnectError::Driver { source, before }
}

async fn start(
    settings: &Settings,
    config: &Config,
    mode: DriverMode,
) -> Result<Opened, tokio_postgres::Error> {
    let mut config = config.clone();
    config.ssl_mode(mode);
    match settings.tls.as_ref().filter(|_| mode != DriverMode::Disable) {
        None => Ok((drive(&config, NoTls).await?, None)),
        Some(tls) => {
            tls.take_version();
            let client = drive(&config, MakeRustlsConnect::new(tls.config.clone())).await?;
            Ok((client, tls.take_version()))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the only constructor")]
async fn drive<T>(config: &Config, tls: T) -> Result<Client, tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(watch(connection));
    Ok(client)
}

/// Drives a connection; its client notices the end.
async fn watch(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(error = explain(&error), "connection to TimescaleDB ended");
    }
}

/// Checks that the server is of the wanted kind.
async fn examined(opened: Opened, attrs: SessionAttrs) -> Result<Opened, ConnectError> {
    if attrs == SessionAttrs::Any {
        return Ok(opened);
    }
    let said = opened.0.simple_query(WHAT_IT_IS).await;
    let said = said.map_err(|error| driver(error, None))?;
    let is = |column| {
        said.iter().any(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(column) == Some("t"),
            _ => false,
        })
    };
    match unwanted(attrs, is(0), is(1)) {
        None => Ok(opened),
        Some(what) => Err(ConnectError::Unwanted(what)),
    }
}

/// The reason to reject a server, if any.
fn unwanted(attrs: SessionAttrs, is_standby: bool, is_read_only: bool) -> Option<&'static str> {
    match attrs {
        SessionAttrs::Any | SessionAttrs::PreferStandby => None,
        SessionAttrs::ReadWrite => (is_standby || is_read_only).then_some("is read-only"),
        SessionAttrs::ReadOnly => (!is_standby && !is_read_only).then_some("allows writes"),
        SessionAttrs::Primary => is_standby.then_some("is a standby"),
        SessionAttrs::Standby => (!is_standby).then_some("is a primary"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_will_do_or_not() {
        let read_only_primary = |attrs| unwanted(attrs, false, true);
        assert_eq!(read_only_primary(SessionAttrs::Any), None);
        assert_eq!(read_only_primary(SessionAttrs::ReadWrite), Some("is read-only"));
        assert_eq!(read_only_primary(SessionAttrs::Primary), None);
        assert_eq!(read_only_primary(SessionAttrs::ReadOnly), None);
        assert_eq!(unwanted(SessionAttrs::Primary, true, true), Some("is a standby"));
        assert_eq!(
            unwanted(SessionAttrs::Standby, false, false),
            Some("is a primary")
        );
        assert_eq!(
            unwanted(SessionAttrs::ReadOnly, false, false),
            Some("allows writes")
        );
    }
}
