//! Which schema an id stands for, and which id a schema has: a client of a registry that speaks Confluent's API.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schema_registry_converter::async_impl::schema_registry::{SrSettings, get_schema_by_id, post_schema};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, SchemaType, SuppliedSchema};

use crate::codec::WriterSchema;
use crate::stream::Stream;

/// Longest a call may take before the registry counts as away.
pub const CALL_TIMEOUT_SECS: u64 = 10;

/// Why the registry gave no schema or id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be reached, or says that it is not well: wait and ask again.
    #[error("schema registry unavailable: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
    },
    /// No schema has this id: whatever carries it is a dead letter.
    #[error("no schema has the id {id}")]
    NotFound {
        /// The id.
        id: u32,
    },
    /// It refuses the schema, or the caller: nothing to wait for.
    #[error("schema registry refused: {reason}")]
    Refused {
        /// The registry's own words.
        reason: String,
    },
    /// The URL, or what the registry answered, is unusable. For [`Registry::schema`]: this id is no Avro record.
    #[error("schema registry: {reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
}

/// A client of the registry. Schemas never change under their id, so each is fetched once.
pub struct Registry {
    url: String,
    settings: SrSettings,
    client: reqwest::Client,
    schemas: Mutex<HashMap<u32, Arc<WriterSchema>>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the URL: it may hold credentials.
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    /// A client of the registry at `url`. Nothing is asked yet.
    ///
    /// # Errors
    /// When the URL is not one.
    pub fn new(url: &str) -> Result<Self, RegistryError> {
        // The process may have chosen a provider before; then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = url.trim_end_matches('/').to_owned();
        reqwest::Url::parse(&url).map_err(|error| RegistryError::Invalid {
            reason: format!("its URL: {error}"),
        })?;
        let timeout = Duration::from_secs(CALL_TIMEOUT_SECS);
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .build()
            .map_err(|error| RegistryError::Invalid {
                reason: error.to_string(),
            })?;
        let settings = SrSettings::new_builder(url.clone())
            .set_timeout(timeout)
            .build()
            .map_err(|error| RegistryError::Invalid {
                reason: error.to_string(),
            })?;
        Ok(Self {
            url,
            settings,
            client,
            schemas: Mutex::default(),
        })
    }

    /// Makes BACKWARD the registry's rule for new versions. Doing it again changes nothing.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn set_compatibility(&self) -> Result<(), RegistryError> {
        let request = self
            .client
            .put(format!("{}/config", self.url))
            .json(&serde_json::json!({ "compatibility": "BACKWARD" }));
        let answer = request.send().await.map_err(|error| RegistryError::Unavailable {
            reason: chain(&error),
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let body = answer.text().await.unwrap_or_default();
        Err(classified(
            status.as_u16(),
            format!("PUT /config: {status}: {body}"),
            None,
        ))
    }

    /// Registers the stream's current schema and returns its id; a schema that is there already keeps its id.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] when it is incompatible with a version that was there before.
    pub async fn register(&self, stream: Stream) -> Result<u32, RegistryError> {
        self.register_schema(stream, stream.schema_json()).await
    }

    /// Registers another version of a stream's schema, as whoever writes a newer one does.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub async fn register_schema(&self, stream: Stream, json: &str) -> Result<u32, RegistryError> {
        let mut registered = self.post(stream, json).await;
        if matches!(registered, Err(RegistryError::Refused { .. })) {
            // Apicurio answers 409 to all but the first of those who register a new subject at once.
            registered = self.post(stream, json).await;
        }
        match registered {
            Err(RegistryError::Refused { reason }) => Err(RegistryError::Refused {
                reason: format!(
                    "the schema of {} cannot read what earlier versions of it wrote (new fields need a default, \
                     types may only widen): {reason}",
                    stream.subject()
                ),
            }),
            other => other,
        }
    }

    async fn post(&self, stream: Stream, json: &str) -> Result<u32, RegistryError> {
        let supplied = SuppliedSchema::new(None, SchemaType::Avro, json.to_owned());
        let registered = post_schema(&self.settings, stream.subject(), supplied).await;
        registered
            .map(|schema| schema.id)
            .map_err(|error| explained(&error, None))
    }

    /// The schema with this id.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] and [`RegistryError::Invalid`] are the message's fault,
    /// [`RegistryError::Unavailable`] is an outage. No error is cached.
    pub async fn schema(&self, id: u32) -> Result<Arc<WriterSchema>, RegistryError> {
        if let Some(schema) = self
            .schemas
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
        {
            return Ok(Arc::clone(schema));
        }
        let registered = get_schema_by_id(id, &self.settings)
            .await
            .map_err(|error| explained(&error, Some(id)))?;
        if registered.schema_type != SchemaType::Avro {
            return Err(RegistryError::Invalid {
                reason: format!("id {id} is {:?}, not Avro", registered.schema_type),
            });
        }
        let schema = WriterSchema::parse(&registered.schema).map_err(|error| RegistryError::Invalid {
            reason: format!("id {id}: {error}"),
        })?;
        let schema = Arc::new(schema);
        self.schemas
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, Arc::clone(&schema));
        Ok(schema)
    }
}

/// What the client's error means. It keeps the status in its text only; the registry's words are its source.
fn explained(error: &SRCError, id: Option<u32>) -> RegistryError {
    let said = error
        .source()
        .and_then(|source| source.downcast_ref::<RawError>())
        .map(|raw| raw.message.clone());
    match status_of(&error.error) {
        Some(status) => classified(status, said.unwrap_or_else(|| error.error.clone()), id),
        // No status: the call did not get through, or broke off.
        None if error.retriable => RegistryError::Unavailable { reason: chain(error) },
        None => RegistryError::Invalid { reason: chain(error) },
    }
}

fn status_of(text: &str) -> Option<u16> {
    let (_, status) = text.split_once("failed with status ")?;
    status.get(..3)?.parse().ok()
}

fn classified(status: u16, reason: String, id: Option<u32>) -> RegistryError {
    match (status, id) {
        (404, Some(id)) => RegistryError::NotFound { id },
        (408 | 429 | 500..=599, _) => RegistryError::Unavailable { reason },
        (400..=499, _) => RegistryError::Refused { reason },
        _ => RegistryError::Invalid {
            reason: format!("status {status}: {reason}"),
        },
    }
}

/// An error with its causes: the outermost alone says "error sending request".
fn chain(error: &dyn Error) -> String {
    let mut text = match error.source() {
        // The client's own text holds its cause and its flags; the cause is told below.
        Some(_) => error
            .to_string()
            .split(", was cause by")
            .next()
            .unwrap_or_default()
            .to_owned(),
        None => error.to_string(),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: &str, code: u32, message: &str) -> SRCError {
        let raw: RawError =
            serde_json::from_value(serde_json::json!({ "error_code": code, "message": message })).unwrap();
        SRCError::non_retryable_with_cause(
            raw,
            &format!("HTTP request to schema registry failed with status {status}"),
        )
    }

    #[test]
    fn an_answer_is_an_outage_a_dead_letter_or_a_refusal() {
        let gone = explained(&answer("404 Not Found", 40403, "Schema not found"), Some(7));
        assert_eq!(gone, RegistryError::NotFound { id: 7 });
        let incompatible = explained(&answer("409 Conflict", 409, "Incompatible: bpm"), None);
        assert_eq!(
            incompatible,
            RegistryError::Refused {
                reason: "Incompatible: bpm".into()
            }
        );
        for status in ["422 Unprocessable Entity", "401 Unauthorized"] {
            assert!(matches!(
                explained(&answer(status, 0, "no"), None),
                RegistryError::Refused { .. }
            ));
        }
        for status in [
            "500 Internal Server Error",
            "503 Service Unavailable",
            "429 Too Many Requests",
        ] {
            assert!(matches!(
                explained(&answer(status, 0, "later"), Some(1)),
                RegistryError::Unavailable { .. }
            ));
        }
    }

    #[test]
    fn a_url_that_is_none_is_refused_at_once() {
        assert!(matches!(
            Registry::new("not a url"),
            Err(RegistryError::Invalid { .. })
        ));
        assert!(
            !format!("{:?}", Registry::new("http://user:hunter2@localhost:1/").unwrap()).contains("hunter2")
        );
    }

    #[tokio::test]
    async fn nobody_listening_is_an_outage() {
        let registry = Registry::new("http://127.0.0.1:1").unwrap();
        assert!(matches!(
            registry.schema(1).await,
            Err(RegistryError::Unavailable { .. })
        ));
        assert!(matches!(
            registry.register(Stream::Steps).await,
            Err(RegistryError::Unavailable { .. })
        ));
        let away = registry.set_compatibility().await.unwrap_err();
        assert!(
            matches!(&away, RegistryError::Unavailable { reason } if reason.contains("refused")),
            "{away}"
        );
    }
}
