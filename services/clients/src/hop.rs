//! What checking one server gives, for `config check`.

use serde::Serialize;

/// What checking one server gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HopReport {
    /// The server's name, such as `Kafka`.
    pub hop: &'static str,
    /// What answered.
    pub server: String,
    /// The version of TLS; none when the connection is open.
    pub tls: Option<String>,
    /// Who the server takes us for.
    pub identity: String,
    /// What is needed and not allowed, each with what it is for.
    pub missing: Vec<String>,
}
