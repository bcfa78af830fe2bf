//! Settings of an HTTP server: address, certificate and credentials. Pure.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::Secret;

/// A shorter token could be guessed.
const TOKEN_CHARS_MIN: usize = 16;
/// Shorter than a token, because people type it.
const PASSWORD_CHARS_MIN: usize = 8;

/// Settings of an HTTP server. An empty setting disables its feature.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address to listen on; port 0 selects a free port, which the log names.
    pub listen: SocketAddr,
    /// PEM file of the certificate and its intermediates; with `tls_key` the server speaks HTTPS only.
    pub tls_certificate: PathBuf,
    /// PEM file of the certificate's unencrypted key.
    pub tls_key: PathBuf,
    /// Token for `Authorization: Bearer`.
    pub bearer_token: Secret,
    /// User of basic authentication.
    pub basic_user: String,
    /// Password of `basic_user`.
    pub basic_password: Secret,
    /// Allows listening beyond loopback without credentials.
    pub allow_unauthenticated: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        // Loopback: serving the network must be an explicit choice.
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            bearer_token: Secret::default(),
            basic_user: String::new(),
            basic_password: Secret::default(),
            allow_unauthenticated: false,
        }
    }
}

impl HttpConfig {
    /// True when it speaks HTTPS.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        !self.tls_certificate.as_os_str().is_empty()
    }

    /// True when credentials are required.
    #[must_use]
    pub fn has_authentication(&self) -> bool {
        !self.bearer_token.is_empty() || !self.basic_user.is_empty()
    }

    /// True when only this machine can connect.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }

    /// Checks the values of `section`.
    ///
    /// # Errors
    /// The names of invalid or missing settings.
    pub fn validate(&self, section: &str) -> Result<(), String> {
        let has_key = !self.tls_key.as_os_str().is_empty();
        if self.has_tls() != has_key {
            return Err(format!(
                "{section}.tls_certificate and {section}.tls_key belong together: set both or neither"
            ));
        }
        if self.basic_user.is_empty() != self.basic_password.is_empty() {
            return Err(format!(
                "{section}.basic_user and {section}.basic_password belong together: set both or neither"
            ));
        }
        self.secrets(section)?;
        if self.is_loopback() || self.has_authentication() || self.allow_unauthenticated {
            return Ok(());
        }
        let variable = format!("PULSELINE__{}__ALLOW_UNAUTHENTICATED", section.to_uppercase());
        Err(format!(
            "{section}.listen is {}, which other machines can reach without credentials: set {section}.bearer_token, or \
             {section}.basic_user and {section}.basic_password; or listen on 127.0.0.1; or allow it with \
             {section}.allow_unauthenticated = true ({variable}=true)",
            self.listen
        ))
    }

    fn secrets(&self, section: &str) -> Result<(), String> {
        let (token, password) = (self.bearer_token.expose(), self.basic_password.expose());
        if !token.is_empty() && token.chars().count() < TOKEN_CHARS_MIN {
            return Err(format!(
                "{section}.bearer_token must have at least {TOKEN_CHARS_MIN} characters, or be empty"
            ));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "{section}.bearer_token contains a space, a line end or a non-ASCII character: HTTP headers cannot carry it"
            ));
        }
        if !password.is_empty() && password.chars().count() < PASSWORD_CHARS_MIN {
            return Err(format!(
                "{section}.basic_password must have at least {PASSWORD_CHARS_MIN} characters"
            ));
        }
        if self.basic_user.contains(':')
            || self
                .basic_user
                .chars()
                .chain(password.chars())
                .any(char::is_control)
        {
            return Err(format!(
                "{section}.basic_user must not contain a colon or a line end, {section}.basic_password no line end"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn config(change: impl FnOnce(&mut HttpConfig)) -> HttpConfig {
        let mut config = HttpConfig::default();
        change(&mut config);
        config
    }

    fn refused(change: impl FnOnce(&mut HttpConfig)) -> String {
        config(change).validate("telemetry").unwrap_err()
    }

    #[test]
    fn only_loopback_needs_no_guard() {
        let at = |listen: &str| {
            let listen = listen.parse().unwrap();
            config(|config| config.listen = listen)
        };
        for listen in ["127.0.0.1:0", "127.8.9.1:9464", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
            assert!(at(listen).validate("telemetry").is_ok(), "{listen}");
        }
        for listen in ["0.0.0.0:0", "10.0.0.7:9464", "[::]:0", "[::ffff:10.0.0.7]:0"] {
            let said = at(listen).validate("telemetry").unwrap_err();
            for named in [
                listen,
                "telemetry.listen",
                "telemetry.bearer_token",
                "telemetry.basic_user",
                "telemetry.basic_password",
                "PULSELINE__TELEMETRY__ALLOW_UNAUTHENTICATED=true",
            ] {
                assert!(said.contains(named), "{said}");
            }
            let allowed = HttpConfig {
                allow_unauthenticated: true,
                ..at(listen)
            };
            let token = HttpConfig {
                bearer_token: Secret::new(TOKEN),
                ..at(listen)
            };
            let basic = HttpConfig {
                basic_user: "scraper".into(),
                basic_password: Secret::new("a password"),
                ..at(listen)
            };
            for config in [allowed, token, basic] {
                assert_eq!(config.validate("telemetry"), Ok(()));
            }
        }
    }

    #[test]
    fn what_belongs_together_is_set_together() {
        let said = refused(|config| config.tls_certificate = "c.pem".into());
        assert!(said.contains("telemetry.tls_key"), "{said}");
        let said = refused(|config| config.tls_key = "k.pem".into());
        assert!(said.contains("telemetry.tls_certificate"), "{said}");
        let said = refused(|config| config.basic_user = "me".into());
        assert!(said.contains("telemetry.basic_password"), "{said}");
        let said = refused(|config| config.basic_password = Secret::new("a password"));
        assert!(said.contains("telemetry.basic_user"), "{said}");
    }

    #[test]
    fn secrets_that_cannot_work_are_refused_and_not_told() {
        for token in ["hunter2", "hunter2 hunter2 hunter2", "hunter2hunter2hunter2\n"] {
            let said = refused(|config| config.bearer_token = Secret::new(token));
            assert!(
                said.contains("telemetry.bearer_token") && !said.contains("hunter2"),
                "{said}"
            );
        }
        for (user, password) in [
            ("a:b", "hunter2hunter2"),
            ("me", "hunter2"),
            ("me", "hunter2hunter2\n"),
        ] {
            let said = refused(|config| {
                config.basic_user = user.into();
                config.basic_password = Secret::new(password);
            });
            assert!(
                said.contains("telemetry.basic_") && !said.contains("hunter2"),
                "{said}"
            );
        }
        let config = config(|config| config.bearer_token = Secret::new(TOKEN));
        assert!(!format!("{config:?}").contains(TOKEN));
    }
}
