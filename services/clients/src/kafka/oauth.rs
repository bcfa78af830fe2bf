//! Tokens from an OIDC provider, by client credentials (RFC 6749, 4.4).

use std::path::PathBuf;
use std::time::Duration;

use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::{KafkaConfig, Secret};
use rdkafka::client::OAuthToken;
use serde::Deserialize;

/// Longest call: librdkafka's threads wait for it.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Assumed lifetime when the provider does not state one.
const LIFETIME_SECS: i64 = 300;

/// Requests tokens from the provider.
#[derive(Clone)]
pub(super) struct TokenSource {
    url: String,
    client_id: String,
    client_secret: Secret,
    scope: String,
    ca: Option<PathBuf>,
    clock: Clock,
}

/// A failed token request.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// The provider rejects the client.
    #[error("the token endpoint answered {status}: {reason}")]
    Refused { status: u16, reason: String },
    /// The provider is unreachable or failing.
    #[error("the token endpoint is unavailable: {0}")]
    Unavailable(String),
}

impl TokenError {
    /// The message for a permanent error.
    pub(super) fn refusal(&self) -> Option<String> {
        match self {
            Self::Refused { .. } => Some(format!(
                "Kafka: {self}: check kafka.oauth_token_url, kafka.oauth_client_id and kafka.oauth_client_secret"
            )),
            Self::Unavailable(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<i64>,
}

impl TokenSource {
    pub(super) fn new(config: &KafkaConfig) -> Self {
        Self {
            url: config.oauth_token_url.clone(),
            client_id: config.oauth_client_id.clone(),
            client_secret: config.oauth_client_secret.clone(),
            scope: config.oauth_scope.clone(),
            ca: config.ssl_ca.clone(),
            clock: Clock::system(),
        }
    }

    /// Blocks: librdkafka calls from a thread outside our runtime.
    pub(super) fn fetch(&self) -> Result<OAuthToken, TokenError> {
        let source = self.clone();
        let asked = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .map_err(|error| TokenError::Unavailable(error.to_string()))?
                .block_on(source.ask())
        });
        asked.join().unwrap_or_else(|_| {
            Err(TokenError::Unavailable(
                "an internal task ended without a result".into(),
            ))
        })
    }

    async fn ask(&self) -> Result<OAuthToken, TokenError> {
        let unavailable = |error: reqwest::Error| TokenError::Unavailable(describe(&error));
        let mut form = vec![("grant_type", "client_credentials")];
        if !self.scope.is_empty() {
            form.push(("scope", &self.scope));
        }
        let request = self
            .client()?
            .post(&self.url)
            .basic_auth(&self.client_id, Some(self.client_secret.expose()))
            .form(&form);
        let answer = request.send().await.map_err(unavailable)?;
        let status = answer.status();
        if status.is_client_error() && !matches!(status.as_u16(), 408 | 429) {
            let reason = answer.text().await.unwrap_or_default();
            let reason = reason.chars().take(200).collect();
            return Err(TokenError::Refused {
                status: status.as_u16(),
                reason,
            });
        }
        let answer: Answer = answer
            .error_for_status()
            .map_err(unavailable)?
            .json()
            .await
            .map_err(unavailable)?;
        let lifetime_secs = answer.expires_in.unwrap_or(LIFETIME_SECS);
        Ok(OAuthToken {
            token: answer.access_token,
            principal_name: self.client_id.clone(),
            lifetime_ms: self
                .clock
                .now_utc_millis()
                .saturating_add(lifetime_secs.saturating_mul(1000)),
        })
    }

    fn client(&self) -> Result<reqwest::Client, TokenError> {
        let mut builder = reqwest::Client::builder().timeout(CALL_TIMEOUT);
        if let Some(path) = &self.ca {
            let unusable = |reason: String| TokenError::Unavailable(format!("{}: {reason}", path.display()));
            let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
            // Brokers and provider may have different CAs: trust those of the system too.
            builder = builder.tls_certs_merge(certificates);
        }
        builder
            .build()
            .map_err(|error| TokenError::Unavailable(describe(&error)))
    }
}

/// The error with its causes, without the URL.
fn describe(error: &reqwest::Error) -> String {
    let mut text = String::from("the request failed");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
