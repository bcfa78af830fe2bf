//! Access checks: the host name, the credentials if any are configured, and the token for changes. Pure.
//!
//! Any page open in a browser can send requests here, and the browser adds a stored password. `Host` reveals a foreign name
//! that resolves to this address (DNS rebinding); `Origin` reveals a foreign page.

use std::net::SocketAddr;

use axum::http::header::{HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pulseline_runtime::http::{Access, Fingerprint, credentials};

use crate::config::ConsoleConfig;

/// The header of the replay token; `Authorization` may already hold the page's credentials.
const TOKEN: HeaderName = HeaderName::from_static("pulseline-token");

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `Host` is not one of the console's names.
    Host,
    /// Credentials are missing or wrong.
    Credentials,
    /// Another page sent the request.
    Origin,
    /// No token is configured.
    Off,
    /// The token is missing or wrong.
    Token,
}

impl Refusal {
    pub(crate) const ALL: [Self; 5] = [
        Self::Host,
        Self::Credentials,
        Self::Origin,
        Self::Off,
        Self::Token,
    ];

    /// The label of the metric.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Credentials => "credentials",
            Self::Origin => "origin",
            Self::Off => "off",
            Self::Token => "token",
        }
    }

    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Host => "the console does not serve this host name: add it to console.hosts",
            Self::Credentials => "credentials are required",
            Self::Origin => "another page sent the request",
            Self::Off => "replay is disabled: set console.token to enable it",
            Self::Token => {
                "replay requires console.token, as `Pulseline-Token` or as `Authorization: Bearer`"
            }
        }
    }
}

/// The console's names and its secrets.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// Names with ports.
    addresses: Vec<String>,
    /// Names with or without a port.
    hosts: Vec<String>,
    /// Browsers leave this port out of `Host`.
    default_port: u16,
    /// With TLS, an `http` origin is foreign. Without it, a proxy may terminate TLS.
    is_https_only: bool,
    access: Access,
    token: Option<Fingerprint>,
}

impl Guard {
    /// `bound` is the actual listen address.
    pub(crate) fn new(config: &ConsoleConfig, bound: SocketAddr) -> Self {
        let (http, port) = (config.http(), bound.port());
        let mut addresses = vec![bound.to_string(), format!("localhost:{port}")];
        if bound.ip().is_unspecified() {
            addresses.extend([format!("127.0.0.1:{port}"), format!("[::1]:{port}")]);
        }
        let hosts = config.hosts.split(',').map(|host| host.trim().to_lowercase());
        Self {
            addresses,
            hosts: hosts.filter(|host| !host.is_empty()).collect(),
            default_port: if http.has_tls() { 443 } else { 80 },
            is_https_only: http.has_tls(),
            access: Access::new(&http),
            token: (!config.token.is_empty()).then(|| Fingerprint::of(config.token.expose())),
        }
    }

    /// True when a token is configured.
    pub(crate) fn can_replay(&self) -> bool {
        self.token.is_some()
    }

    /// Checks every request.
    pub(crate) fn request(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.host(headers)?;
        self.access
            .admits(headers)
            .then_some(())
            .ok_or(Refusal::Credentials)
    }

    fn host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = only(headers, HOST).ok_or(Refusal::Host)?.to_lowercase();
        let has_port = |(_, port): &(&str, &str)| port.bytes().all(|byte| byte.is_ascii_digit());
        let (name, with_port) = match host.rsplit_once(':').filter(has_port) {
            Some((name, _)) => (name, host.clone()),
            None => (host.as_str(), format!("{host}:{}", self.default_port)),
        };
        let is_named = |ours: &String| *ours == host || ours == name || *ours == with_port;
        let is_ours = self.addresses.contains(&with_port) || self.hosts.iter().any(is_named);
        is_ours.then_some(()).ok_or(Refusal::Host)
    }

    /// Checks a request for a change, after [`Self::request`].
    pub(crate) fn change(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = only(headers, HOST).ok_or(Refusal::Host)?;
        if headers.contains_key(ORIGIN) {
            let origin = only(headers, ORIGIN).ok_or(Refusal::Origin)?;
            let plain = origin.strip_prefix("http://").filter(|_| !self.is_https_only);
            let authority = origin.strip_prefix("https://").or(plain);
            if authority.is_none_or(|authority| !authority.eq_ignore_ascii_case(host)) {
                return Err(Refusal::Origin);
            }
        }
        let expected = self.token.as_ref().ok_or(Refusal::Off)?;
        let said = if headers.contains_key(TOKEN) {
            only(headers, TOKEN)
        } else {
            credentials(headers, "Bearer")
        };
        let is_right = said.is_some_and(|token| expected.matches(token));
        is_right.then_some(()).ok_or(Refusal::Token)
    }

    /// The status of a refusal, and the challenge of a 401.
    pub(crate) fn answer(&self, refusal: Refusal, headers: &mut HeaderMap) -> StatusCode {
        match refusal {
            Refusal::Host | Refusal::Origin | Refusal::Off => StatusCode::FORBIDDEN,
            Refusal::Credentials => {
                self.access.challenge(headers);
                StatusCode::UNAUTHORIZED
            }
            Refusal::Token if self.access.is_open() => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                StatusCode::UNAUTHORIZED
            }
            // A 401 would make the browser forget the correct password.
            Refusal::Token => StatusCode::FORBIDDEN,
        }
    }
}

/// The value of a header that occurs exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use axum::http::header::AUTHORIZATION;
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

    /// Guarded by a password, over TLS.
    fn encrypted(listen: &str, hosts: &str, token: &str) -> Guard {
        let config = ConsoleConfig {
            hosts: hosts.into(),
            token: Secret::new(token),
            tls_certificate: "tls.crt".into(),
            tls_key: "tls.key".into(),
            basic_user: "Aladdin".into(),
            basic_password: Secret::new("open sesame"),
            ..ConsoleConfig::default()
        };
        Guard::new(&config, listen.parse().unwrap())
    }

    #[test]
    fn a_scheme_s_own_port_may_be_left_out() {
        let passes = |guard: &Guard, host: &str| guard.host(&headers(&[(HOST, host)])).is_ok();
        let tls = encrypted("127.0.0.1:443", "lab:443, console.example", "");
        for host in [
            "127.0.0.1",
            "127.0.0.1:443",
            "localhost",
            "lab",
            "lab:443",
            "console.example",
        ] {
            assert!(passes(&tls, host), "{host}");
        }
        for host in ["localhost:80", "lab:80", "[::1]", "evil.example"] {
            assert!(!passes(&tls, host), "{host}");
        }
        assert!(passes(&guard("[::1]:80", "", ""), "[::1]"));
        assert!(!passes(&encrypted("127.0.0.1:8620", "", ""), "127.0.0.1"));
    }

    #[test]
    fn over_tls_an_unencrypted_page_of_the_same_name_is_another_page() {
        let token = "0123456789abcdef";
        let guard = encrypted("127.0.0.1:8620", "", token);
        let asked = |origin: &str| guard.change(&headers(&[(HOST, "lab"), (TOKEN, token), (ORIGIN, origin)]));
        assert_eq!(asked("https://lab"), Ok(()));
        assert_eq!(asked("http://lab"), Err(Refusal::Origin));
        assert_eq!(asked("https://lab:8620"), Err(Refusal::Origin));
    }

    #[test]
    fn credentials_and_the_token_of_replays_are_two_things() {
        let token = "0123456789abcdef";
        let guard = encrypted("127.0.0.1:8620", "", token);
        let password = (AUTHORIZATION, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let bearer = format!("Bearer {token}");
        let with = |more: &[(HeaderName, &str)]| headers(&[&[(HOST, "localhost:8620")][..], more].concat());
        assert_eq!(guard.request(&with(&[])), Err(Refusal::Credentials));
        assert_eq!(
            guard.request(&with(&[(AUTHORIZATION, &bearer)])),
            Err(Refusal::Credentials)
        );
        let foreign = headers(&[(HOST, "evil.example"), password.clone()]);
        assert_eq!(guard.request(&foreign), Err(Refusal::Host));
        let both = with(&[password.clone(), (TOKEN, token)]);
        assert_eq!((guard.request(&both), guard.change(&both)), (Ok(()), Ok(())));
        let only_read = with(std::slice::from_ref(&password));
        assert_eq!(
            (guard.request(&only_read), guard.change(&only_read)),
            (Ok(()), Err(Refusal::Token))
        );
        let wrong = with(&[password, (TOKEN, "0123456789abcdeF")]);
        assert_eq!(guard.change(&wrong), Err(Refusal::Token));
        // What the page does not say is not taken from elsewhere.
        let wrong = with(&[(AUTHORIZATION, &bearer), (TOKEN, "")]);
        assert_eq!(guard.change(&wrong), Err(Refusal::Token));
    }

    #[test]
    fn only_missing_credentials_make_a_browser_ask_for_a_password() {
        let answer = |guard: &Guard, refusal| {
            let mut headers = HeaderMap::new();
            let status = guard.answer(refusal, &mut headers);
            let challenge = headers.get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap());
            (status.as_u16(), challenge.unwrap_or_default().to_owned())
        };
        let (open, guarded) = (
            guard("127.0.0.1:8620", "", ""),
            encrypted("127.0.0.1:8620", "", ""),
        );
        assert_eq!(answer(&open, Refusal::Token), (401, "Bearer".to_owned()));
        assert_eq!(answer(&guarded, Refusal::Token), (403, String::new()));
        assert_eq!(answer(&guarded, Refusal::Host), (403, String::new()));
        let (status, challenge) = answer(&guarded, Refusal::Credentials);
        assert!(
            status == 401 && challenge.starts_with("Basic realm="),
            "{status} {challenge}"
        );
    }

    #[test]
    fn without_a_token_nobody_changes_anything() {
        let guard = guard("127.0.0.1:8620", "", "");
        let asked = headers(&[(HOST, "localhost:8620"), (AUTHORIZATION, "Bearer ")]);
        assert_eq!(guard.change(&asked), Err(Refusal::Off));
        assert!(!guard.can_replay());
    }
}
