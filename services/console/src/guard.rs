//! Who may ask: only under the console's own names, and with the token for what changes something. Pure.
//!
//! It listens on loopback, where every page that a browser has open can send requests. A foreign name that was made to point
//! here (DNS rebinding) shows in `Host`, a foreign page in `Origin`.

use std::net::SocketAddr;

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use sha2::{Digest, Sha256};

use crate::config::ConsoleConfig;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It asked for a name that is not the console's.
    Host,
    /// It comes from another page.
    Origin,
    /// No token is configured.
    Off,
    /// No token, or another one.
    Token,
}

impl Refusal {
    pub(crate) const ALL: [Self; 4] = [Self::Host, Self::Origin, Self::Off, Self::Token];

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Origin | Self::Off => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }

    /// A word for the metric.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Off => "off",
            Self::Token => "token",
        }
    }

    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Host => "this is none of the console's names; console.hosts adds one",
            Self::Origin => "the request comes from another page",
            Self::Off => "replay is off: console.token is not set",
            Self::Token => "replay needs console.token as `Authorization: Bearer`",
        }
    }
}

/// The console's names and its token.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// With their ports.
    addresses: Vec<String>,
    /// With or without a port.
    hosts: Vec<String>,
    /// Digest of the token: comparing digests takes as long for every wrong token, whatever it begins with.
    token: Option<[u8; 32]>,
}

impl Guard {
    /// `bound` is the address that is really listened on.
    pub(crate) fn new(config: &ConsoleConfig, bound: SocketAddr) -> Self {
        let port = bound.port();
        let mut addresses = vec![bound.to_string(), format!("localhost:{port}")];
        if bound.ip().is_unspecified() {
            addresses.extend([format!("127.0.0.1:{port}"), format!("[::1]:{port}")]);
        }
        let hosts = config.hosts.split(',').map(|host| host.trim().to_lowercase());
        Self {
            addresses,
            hosts: hosts.filter(|host| !host.is_empty()).collect(),
            token: (!config.token.is_empty()).then(|| digest(config.token.expose())),
        }
    }

    /// True when a token is configured.
    pub(crate) fn can_replay(&self) -> bool {
        self.token.is_some()
    }

    /// Every request passes here.
    pub(crate) fn host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = only(headers, HOST).ok_or(Refusal::Host)?.to_lowercase();
        let name = host
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
            .map_or(host.as_str(), |(name, _)| name);
        let is_ours =
            self.addresses.contains(&host) || self.hosts.iter().any(|ours| *ours == host || ours == name);
        is_ours.then_some(()).ok_or(Refusal::Host)
    }

    /// A request that changes something, once its host has passed.
    pub(crate) fn change(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = only(headers, HOST).ok_or(Refusal::Host)?;
        if headers.contains_key(ORIGIN) {
            let origin = only(headers, ORIGIN).ok_or(Refusal::Origin)?;
            let authority = origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"));
            if authority.is_none_or(|authority| !authority.eq_ignore_ascii_case(host)) {
                return Err(Refusal::Origin);
            }
        }
        let expected = self.token.ok_or(Refusal::Off)?;
        let said = only(headers, AUTHORIZATION).and_then(|said| said.strip_prefix("Bearer "));
        let is_right = said.is_some_and(|token| digest(token) == expected);
        is_right.then_some(()).ok_or(Refusal::Token)
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The value of a header that stands there once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use pulseline_runtime::config::Secret;

    use super::*;

    fn guard(listen: &str, hosts: &str, token: &str) -> Guard {
        let config = ConsoleConfig {
            hosts: hosts.into(),
            token: Secret::new(token),
            ..ConsoleConfig::default()
        };
        Guard::new(&config, listen.parse().unwrap())
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_its_own_names_are_answered() {
        let guard = guard("127.0.0.1:8620", "Console.example, lab:81", "");
        let passes = |host: &str| guard.host(&headers(&[(HOST, host)])).is_ok();
        for host in [
            "127.0.0.1:8620",
            "localhost:8620",
            "LOCALHOST:8620",
            "console.example",
            "console.example:443",
            "lab:81",
        ] {
            assert!(passes(host), "{host}");
        }
        for host in [
            "evil.example:8620",
            "127.0.0.1",
            "localhost:80",
            "lab",
            "lab:82",
            "xlocalhost:8620",
            "",
            "console.example.evil",
        ] {
            assert!(!passes(host), "{host}");
        }
        assert_eq!(guard.host(&HeaderMap::new()), Err(Refusal::Host));
        let twice = headers(&[(HOST, "localhost:8620"), (HOST, "evil.example")]);
        assert_eq!(guard.host(&twice), Err(Refusal::Host));
    }

    #[test]
    fn on_every_interface_loopback_is_still_its_own_name() {
        let guard = guard("0.0.0.0:8620", "", "");
        assert!(guard.host(&headers(&[(HOST, "127.0.0.1:8620")])).is_ok());
        assert!(guard.host(&headers(&[(HOST, "10.0.0.7:8620")])).is_err());
    }

    #[test]
    fn a_change_needs_the_token_and_no_other_page() {
        let token = "0123456789abcdef";
        let guard = guard("127.0.0.1:8620", "", token);
        let (host, right) = ((HOST, "localhost:8620"), format!("Bearer {token}"));
        let asked = |more: &[(HeaderName, &str)]| {
            guard.change(&headers(&[std::slice::from_ref(&host), more].concat()))
        };
        assert_eq!(asked(&[(AUTHORIZATION, &right)]), Ok(()));
        assert_eq!(
            asked(&[(AUTHORIZATION, &right), (ORIGIN, "http://localhost:8620")]),
            Ok(())
        );
        for origin in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:8620",
            "http://localhost:9000",
            "ftp://localhost:8620",
        ] {
            assert_eq!(
                asked(&[(AUTHORIZATION, &right), (ORIGIN, origin)]),
                Err(Refusal::Origin),
                "{origin}"
            );
        }
        assert_eq!(asked(&[]), Err(Refusal::Token));
        for wrong in [
            "Bearer 0123456789abcdeF",
            "Bearer ",
            "0123456789abcdef",
            "Basic 0123456789abcdef",
        ] {
            assert_eq!(asked(&[(AUTHORIZATION, wrong)]), Err(Refusal::Token), "{wrong}");
        }
    }

    #[test]
    fn without_a_token_nobody_changes_anything() {
        let guard = guard("127.0.0.1:8620", "", "");
        let asked = headers(&[(HOST, "localhost:8620"), (AUTHORIZATION, "Bearer ")]);
        assert_eq!(guard.change(&asked), Err(Refusal::Off));
        assert!(!guard.can_replay());
    }
}
