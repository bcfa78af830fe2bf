//! Checks the registry, for `config check`.

use futures_util::future::BoxFuture;
use pulseline_runtime::config::RegistryConfig;

use super::{Registry, RegistryError};
use crate::hop::HopReport;
use crate::tls;

/// Connects like `generate` and the sink.
///
/// # Errors
/// Wrong settings, a refusal, an outage.
pub fn check(config: &RegistryConfig) -> BoxFuture<'_, Result<HopReport, RegistryError>> {
    Box::pin(async move {
        let registry = Registry::new(config)?;
        let subjects = registry.subjects().await?;
        let tls = match registry.first_tls_address() {
            Some(address) => Some(tls::version(&address).await.unwrap_or_else(|| "TLS".into())),
            None => None,
        };
        Ok(HopReport {
            hop: "registry",
            server: format!("{subjects} subjects"),
            tls,
            identity: identity(config),
            missing: Vec::new(),
        })
    })
}

fn identity(config: &RegistryConfig) -> String {
    if !config.bearer_token.is_empty() {
        return "the holder of a bearer token".into();
    }
    match (config.username.is_empty(), &config.ssl_certificate) {
        (false, _) => format!("{} (basic authentication)", config.username),
        (true, Some(certificate)) => format!("the certificate in {}", certificate.display()),
        (true, None) if config.url.expose().contains('@') => "the user in registry.url".into(),
        (true, None) => "anonymous (no authentication)".into(),
    }
}
