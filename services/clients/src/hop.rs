//! Result of checking one server, for `config check`.

use serde::Serialize;

/// Result of checking one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HopReport {
    /// The server's name, such as `Kafka`.
    pub hop: &'static str,
    /// The server's address or kind.
    pub server: String,
    /// TLS version; none without encryption.
    pub tls: Option<String>,
    /// Our identity at the server.
    pub identity: String,
    /// Missing permissions, each with its purpose.
    pub missing: Vec<String>,
}
