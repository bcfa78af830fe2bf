//! Connection settings and credentials of the schema registry.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// Connection settings and credentials of the schema registry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// Comma-separated base URLs of registries with Confluent's API and shared schemas; the client uses the first that
    /// answers. A secret, because a URL may hold a password.
    pub url: Secret,
    /// User of basic authentication; empty: none, or the URL's own.
    pub username: String,
    /// The password of basic authentication.
    pub password: Secret,
    /// Bearer token; excludes basic authentication.
    pub bearer_token: Secret,
    /// PEM file of trusted CA certificates; none: those of the system.
    pub ssl_ca: Option<PathBuf>,
    /// PEM file of the client's certificate and its intermediate certificates.
    pub ssl_certificate: Option<PathBuf>,
    /// PEM file of the certificate's unencrypted key.
    pub ssl_key: Option<PathBuf>,
}
