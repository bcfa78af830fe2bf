//! The context of every Kafka client: it receives asynchronous errors and supplies tokens.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use tokio::sync::watch;

use super::error::KafkaFailure;
use super::oauth::TokenSource;
use super::refusal::refusal;

/// Receives a client's asynchronous errors. Only they reveal a wrong password: calls would just time out.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    refused: watch::Sender<Option<String>>,
    tokens: Option<TokenSource>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    pub(super) fn new(tokens: Option<TokenSource>) -> Self {
        let (refused, _) = watch::channel(None);
        Self(Arc::new(Inner { refused, tokens }))
    }

    /// The refusal, if brokers and client have rejected each other.
    #[must_use]
    pub fn refusal(&self) -> Option<KafkaFailure> {
        self.0.refused.borrow().clone().map(KafkaFailure::Refused)
    }

    /// Waits until brokers and client reject each other.
    pub async fn refused(&self) -> KafkaFailure {
        let mut refused = self.0.refused.subscribe();
        let reason = refused
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|reason| reason.clone());
        match reason {
            Some(reason) => KafkaFailure::Refused(reason),
            // The sender lives as long as this guard.
            None => std::future::pending().await,
        }
    }

    /// Runs a call that ends early when the brokers reject the client.
    ///
    /// # Errors
    /// The error of the call, or the refusal.
    pub async fn unless_refused<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, KafkaError>>,
    ) -> Result<T, KafkaFailure> {
        tokio::select! {
            biased;
            called = call => called.map_err(|error| self.explain(what, error)),
            refused = self.refused() => Err(refused),
        }
    }

    /// Explains an error, taking earlier asynchronous errors into account.
    #[must_use]
    pub fn explain(&self, what: &'static str, error: KafkaError) -> KafkaFailure {
        self.refusal().unwrap_or_else(|| KafkaFailure::of(what)(error))
    }

    /// Records an asynchronous error, for contexts that hold this one.
    pub fn report(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        match refusal(code, reason) {
            Some(sentence) => {
                self.0
                    .refused
                    .send_if_modified(|known| known.is_none() && known.replace(sentence).is_none());
            }
            None => tracing::debug!(%error, reason, "Kafka"),
        }
    }

    /// Logs a line of the client, for contexts that hold this one.
    pub fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                tracing::warn!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                tracing::info!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", facility, "{message}");
            }
        }
    }

    /// Requests a token from the OIDC provider, for contexts that hold this one. Blocks meanwhile.
    ///
    /// # Errors
    /// No provider is configured, or it issues no token.
    pub fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let tokens = self.0.tokens.as_ref().ok_or("kafka.oauth_token_url is not set")?;
        tokens.fetch().map_err(|error| {
            if let Some(sentence) = error.refusal() {
                self.0
                    .refused
                    .send_if_modified(|known| known.replace(sentence).is_none());
            } else {
                tracing::warn!(%error, "waiting for the token endpoint");
            }
            error.into()
        })
    }
}

impl ClientContext for Guard {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Self::log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.report(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.token()
    }
}

impl ConsumerContext for Guard {}

impl ProducerContext for Guard {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
