//! Where the schema registry is, and how its client proves who it is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// Where the schema registry is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// Comma-separated base URLs of registries that speak Confluent's API and share their schemas: the first that answers is
    /// asked. A secret, because a URL may hold a password.
    pub url: Secret,
    /// The user of basic authentication; empty: none, or the URL's own.
    pub username: String,
    /// The password of basic authentication.
    pub password: Secret,
    /// A bearer token; it excludes basic authentication.
    pub bearer_token: Secret,
    /// PEM file of the authorities whose certificates are trusted; none: those of the system.
    pub ssl_ca: Option<PathBuf>,
    /// PEM file of the client's certificate and what stands between it and its authority.
    pub ssl_certificate: Option<PathBuf>,
    /// PEM file of the certificate's key, not encrypted.
    pub ssl_key: Option<PathBuf>,
}
