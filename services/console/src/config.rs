//! Settings of the console, with reasons for the defaults.

use std::net::SocketAddr;
use std::path::PathBuf;

use pulseline_runtime::config::Secret;
use pulseline_runtime::http::HttpConfig;
use serde::{Deserialize, Serialize};

/// A fixed port keeps bookmarks valid. Loopback: serving the network must be an explicit choice.
const PORT: u16 = 8620;
/// A shorter token could be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// Settings of the console.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Address to listen on; port 0 selects a free port, which the log names.
    pub listen: SocketAddr,
    /// Comma-separated host names, with or without a port, that browsers may use besides the address and `localhost`.
    pub hosts: String,
    /// Token that allows replays of dead letters; empty disables them.
    pub token: Secret,
    /// As in [`HttpConfig`], and so are the fields below it.
    pub tls_certificate: PathBuf,
    /// The certificate's key.
    pub tls_key: PathBuf,
    /// Bearer token that allows reading.
    pub bearer_token: Secret,
    /// User of basic authentication.
    pub basic_user: String,
    /// Password of basic authentication.
    pub basic_password: Secret,
    /// Allows listening beyond loopback without credentials.
    pub allow_unauthenticated: bool,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        let HttpConfig {
            tls_certificate,
            tls_key,
            bearer_token,
            basic_user,
            basic_password,
            allow_unauthenticated,
            ..
        } = HttpConfig::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], PORT)),
            hosts: String::new(),
            token: Secret::default(),
            tls_certificate,
            tls_key,
            bearer_token,
            basic_user,
            basic_password,
            allow_unauthenticated,
        }
    }
}

impl ConsoleConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// The name of the invalid field.
    pub fn validate(&self) -> Result<(), String> {
        if !self.token.is_empty() && self.token.expose().chars().count() < TOKEN_CHARS_MIN {
            return Err(format!(
                "console.token must have at least {TOKEN_CHARS_MIN} characters, or be empty"
            ));
        }
        self.http().validate("console")
    }

    /// The settings of the HTTP server. They are not flattened: serde cannot refuse unknown keys of a flattened struct.
    #[must_use]
    pub fn http(&self) -> HttpConfig {
        HttpConfig {
            listen: self.listen,
            tls_certificate: self.tls_certificate.clone(),
            tls_key: self.tls_key.clone(),
            bearer_token: self.bearer_token.clone(),
            basic_user: self.basic_user.clone(),
            basic_password: self.basic_password.clone(),
            allow_unauthenticated: self.allow_unauthenticated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_can_be_tried_out_is_refused_and_not_told() {
        let config = |token: &str| ConsoleConfig {
            token: Secret::new(token),
            ..ConsoleConfig::default()
        };
        let refused = config("hunter2").validate().unwrap_err();
        assert!(
            refused.contains("console.token") && !refused.contains("hunter2"),
            "{refused}"
        );
        assert!(config("").validate().is_ok() && config("0123456789abcdef").validate().is_ok());
        assert!(!format!("{:?}", config("0123456789abcdef")).contains("0123"));
    }

    #[test]
    fn the_token_of_replays_guards_no_page() {
        let config = ConsoleConfig {
            listen: SocketAddr::from(([0, 0, 0, 0], PORT)),
            token: Secret::new("0123456789abcdef"),
            ..ConsoleConfig::default()
        };
        let said = config.validate().unwrap_err();
        assert!(
            said.contains("console.listen") && said.contains("console.bearer_token"),
            "{said}"
        );
    }
}
