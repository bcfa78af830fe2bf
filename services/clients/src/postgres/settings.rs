//! Interprets `timescale.url`: hosts, TLS, session kind and timeouts.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use pulseline_runtime::config::{Secret, TimescaleConfig};
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, SslNegotiation};

use super::error::SettingsError;
use super::parameters::{Parameters, Surroundings};
use super::passfile;
use super::tls::{self, SslMode, Tls};

/// Connection timeout; after it the next host is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// TCP keepalive of a silent connection: idle time, interval and retries. A vanished host is noticed after 25 s.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_COUNT: u32 = 3;
/// Unacknowledged data ends the connection after this time: the same bound for an active connection.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(25);
const PORT: u16 = 5432;

/// Required kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAttrs {
    /// Any.
    Any,
    /// Read-write sessions.
    ReadWrite,
    /// Read-only sessions.
    ReadOnly,
    /// A primary.
    Primary,
    /// A hot standby.
    Standby,
    /// A hot standby, or any server if there is none.
    PreferStandby,
}

const SESSION_ATTRS: [(&str, SessionAttrs); 6] = [
    ("any", SessionAttrs::Any),
    ("read-write", SessionAttrs::ReadWrite),
    ("read-only", SessionAttrs::ReadOnly),
    ("primary", SessionAttrs::Primary),
    ("standby", SessionAttrs::Standby),
    ("prefer-standby", SessionAttrs::PreferStandby),
];

/// Address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A host name or an address.
    Name(String),
    /// An address from `hostaddr`.
    Ip(String, IpAddr),
    /// The directory of a local socket.
    Socket(PathBuf),
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) address: Address,
    pub(super) port: u16,
    /// From a password file, for this host.
    pub(super) password: Secret,
}

impl Host {
    /// Its name in logs and errors.
    pub(super) fn name(&self) -> String {
        match &self.address {
            Address::Name(name) | Address::Ip(name, _) => format!("{name}:{}", self.port),
            Address::Socket(path) => format!("{}/.s.PGSQL.{}", path.display(), self.port),
        }
    }
}

/// The interpreted `timescale.url`. Prints no secret.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) hosts: Vec<Host>,
    pub(super) mode: SslMode,
    /// None when TLS is never used.
    pub(super) tls: Option<Tls>,
    pub(super) session_attrs: SessionAttrs,
    /// Shuffles hosts and addresses each time.
    pub(super) is_shuffled: bool,
    /// Timeout per address, from the first packet to the session; none: unlimited.
    pub(super) connect_timeout: Option<Duration>,
    /// Driver settings common to all hosts.
    pub(super) config: Config,
}

impl Settings {
    /// Reads `timescale.url`, libpq's environment variables and the files that they name.
    ///
    /// # Errors
    /// [`SettingsError`]: invalid, unknown or contradictory parameters. It quotes no value.
    pub fn parse(timescale: &TimescaleConfig) -> Result<Self, SettingsError> {
        let variables = |name: &str| std::env::var(name).ok();
        Self::parse_in(timescale.url.expose(), &variables)
    }

    pub(super) fn parse_in(url: &str, surroundings: &dyn Surroundings) -> Result<Self, SettingsError> {
        let given = Parameters::read(url, surroundings)?;
        let mode = tls::ssl_mode(&given)?;
        let negotiation = [
            ("postgres", SslNegotiation::Postgres),
            ("direct", SslNegotiation::Direct),
        ];
        let negotiation = given.word("sslnegotiation", &negotiation)?.unwrap_or_default();
        if negotiation == SslNegotiation::Direct && !tls::is_certain(mode) {
            return Err(given.wrong("sslnegotiation", "postgres unless sslmode is require or stronger"));
        }
        refuse_what_is_not_done(&given)?;
        let shuffle = [("disable", false), ("random", true)];
        let mut hosts = hosts(&given)?;
        find_passwords(&given, surroundings, &mut hosts);
        let tls = match mode {
            SslMode::Disable => None,
            _ => Some(tls::read(&given, mode, negotiation == SslNegotiation::Direct)?),
        };
        Ok(Self {
            hosts,
            mode,
            tls,
            session_attrs: given
                .word("target_session_attrs", &SESSION_ATTRS)?
                .unwrap_or(SessionAttrs::Any),
            is_shuffled: given.word("load_balance_hosts", &shuffle)?.unwrap_or(false),
            connect_timeout: connect_timeout(&given)?,
            config: driver_config(&given, negotiation)?,
        })
    }

    /// The TLS mode.
    #[must_use]
    pub fn ssl_mode(&self) -> SslMode {
        self.mode
    }
}

/// Parameters that only accept the behaviour that is built in.
fn refuse_what_is_not_done(given: &Parameters) -> Result<(), SettingsError> {
    given.word("gssencmode", &[("disable", ()), ("prefer", ())])?;
    given.word("client_encoding", &[("UTF8", ()), ("utf8", ()), ("auto", ())])?;
    given.word("sslcompression", &[("0", ())])?;
    Ok(())
}

fn connect_timeout(given: &Parameters) -> Result<Option<Duration>, SettingsError> {
    Ok(match given.number::<i64>("connect_timeout")? {
        None => Some(CONNECT_TIMEOUT),
        // As in libpq: unlimited.
        Some(seconds) => u64::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs),
    })
}

fn hosts(given: &Parameters) -> Result<Vec<Host>, SettingsError> {
    let list = |name| {
        given
            .get(name)
            .map(|list| list.split(',').map(str::trim).collect())
    };
    let names: Vec<&str> = list("host").unwrap_or_default();
    let addresses: Vec<&str> = list("hostaddr").unwrap_or_default();
    let ports: Vec<&str> = list("port").unwrap_or_default();
    let count = names.len().max(addresses.len());
    if count == 0 {
        return Err(SettingsError::Text("it names no host"));
    }
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        return Err(given.wrong("hostaddr", "as long a list as host is"));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(given.wrong("port", "one number, or one for each host"));
    }
    (0..count)
        .map(|i| {
            let port = match ports.get(i).or_else(|| ports.first()) {
                None | Some(&"") => PORT,
                Some(port) => port
                    .parse()
                    .map_err(|_| given.wrong("port", "a number below 65536"))?,
            };
            let address = address(given, names.get(i), addresses.get(i))?;
            Ok(Host {
                address,
                port,
                password: Secret::default(),
            })
        })
        .collect()
}

fn address(
    given: &Parameters,
    name: Option<&&str>,
    address: Option<&&str>,
) -> Result<Address, SettingsError> {
    let name = name.copied().unwrap_or_default();
    match address.filter(|address| !address.is_empty()) {
        Some(address) => {
            let ip = address
                .parse()
                .map_err(|_| given.wrong("hostaddr", "a list of IP addresses"))?;
            let name = if name.is_empty() { *address } else { name };
            Ok(Address::Ip(name.to_owned(), ip))
        }
        None if name.is_empty() => Err(SettingsError::Text("it names no host")),
        None if name.starts_with('/') => Ok(Address::Socket(PathBuf::from(name))),
        None => Ok(Address::Name(name.to_owned())),
    }
}

fn find_passwords(given: &Parameters, surroundings: &dyn Surroundings, hosts: &mut [Host]) {
    if given.get("password").is_some() {
        return;
    }
    let Some(text) = given
        .file("passfile", ".pgpass")
        .and_then(|path| passfile::read(&path))
    else {
        return;
    };
    let user = given.get("user").map(str::to_owned);
    let user = user.or_else(|| surroundings.variable("USER")).unwrap_or_default();
    for host in hosts {
        let name = match &host.address {
            Address::Name(name) | Address::Ip(name, _) => name.clone(),
            Address::Socket(path) => path.display().to_string(),
        };
        let wanted = passfile::Wanted {
            host: &name,
            port: host.port,
            dbname: given.get("dbname").unwrap_or(&user),
            user: &user,
        };
        host.password = Secret::new(passfile::find(&text, &wanted).unwrap_or_default());
    }
}

fn driver_config(given: &Parameters, negotiation: SslNegotiation) -> Result<Config, SettingsError> {
    let mut config = Config::new();
    given.get("user").map(|user| config.user(user));
    given.get("password").map(|password| config.password(password));
    given.get("dbname").map(|dbname| config.dbname(dbname));
    given.get("options").map(|options| config.options(options));
    let name = given
        .get("application_name")
        .or_else(|| given.get("fallback_application_name"));
    name.map(|name| config.application_name(name));
    config.ssl_negotiation(negotiation);
    let bindings = [
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
    if let Some(binding) = given.word("channel_binding", &bindings)? {
        config.channel_binding(binding);
    }
    let seconds = |name, default: Duration| -> Result<Duration, SettingsError> {
        let given = given.number::<u64>(name)?.filter(|seconds| *seconds > 0);
        Ok(given.map_or(default, Duration::from_secs))
    };
    config.keepalives(given.number::<i64>("keepalives")?.unwrap_or(1) != 0);
    config.keepalives_idle(seconds("keepalives_idle", KEEPALIVE_IDLE)?);
    config.keepalives_interval(seconds("keepalives_interval", KEEPALIVE_INTERVAL)?);
    let count = match given.number::<u32>("keepalives_count")? {
        Some(count) => Some(count),
        None => given.number::<u32>("keepalives_retries")?,
    };
    let count = count.filter(|count| *count > 0);
    config.keepalives_retries(count.unwrap_or(KEEPALIVE_COUNT));
    // In milliseconds, as in libpq; 0 means the system's default.
    match given.number::<u64>("tcp_user_timeout")? {
        Some(0) => {}
        Some(millis) => {
            config.tcp_user_timeout(Duration::from_millis(millis));
        }
        None => {
            config.tcp_user_timeout(TCP_USER_TIMEOUT);
        }
    }
    Ok(config)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
