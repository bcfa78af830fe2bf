//! Which schema an id stands for, and which id a schema has: a client of a registry that speaks Confluent's API.
//!
//! | what it answers | what that means |
//! |---|---|
//! | JSON with `error_code` 40403 | no schema has this id: a dead letter |
//! | 409 or 422 in its own words | it refuses the schema: nothing to wait for |
//! | 401, 403, a certificate that is refused or missing | a setting is wrong: the service stops and names it |
//! | every other 404, HTML, a body that breaks off, a redirect, 408, 429, 5xx, nothing | an outage, waited out |
//!
//! Apicurio's `/apis/ccompat/v7` answers the same codes: `ContentNotFoundException` is 40403.

mod answer;
mod check;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_runtime::config::RegistryConfig;
use pulseline_runtime::retry::{Class, Classify};
use pulseline_schemas::{Stream, WriterSchema};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::handshake;
pub use check::check;

use answer::{Asked, body_of, interpret, reason_of};
use settings::{Endpoint, Login};

/// Longest a connection may take before the next URL is asked.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest a call may take before the registry counts as away.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Confluent's own type of content, which every registry understands.
const CONTENT: &str = "application/vnd.schemaregistry.v1+json";

/// Why the registry gave no schema or id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be reached, says that it is not well, or somebody else answers in its place: wait and ask again.
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
    /// What has this id is no Avro record: whatever carries it is a dead letter.
    #[error("schema registry: {reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// It refuses the schema: nothing to wait for.
    #[error("schema registry refused: {reason}")]
    Refused {
        /// The registry's own words.
        reason: String,
    },
    /// It refuses the caller, or one of the two refuses the other's certificate: nothing to wait for.
    #[error("schema registry: {reason}")]
    Denied {
        /// The cause, and the settings to look at.
        reason: String,
    },
    /// A setting cannot be used; the text names it.
    #[error("{0}")]
    Setting(String),
}

impl Classify for RegistryError {
    fn class(&self) -> Class {
        match self {
            Self::Unavailable { .. } => Class::Transient,
            Self::NotFound { .. } | Self::Invalid { .. } => Class::Definite,
            Self::Refused { .. } | Self::Denied { .. } | Self::Setting(_) => Class::Fatal,
        }
    }
}

/// A client of the registry. Schemas never change under their id, so each is fetched once.
pub struct Registry {
    endpoints: Vec<Endpoint>,
    /// The endpoint that answered last.
    current: AtomicUsize,
    client: reqwest::Client,
    schemas: Mutex<HashMap<u32, Arc<WriterSchema>>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the endpoints: they hold credentials.
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// A call: where below the base URL, and with what.
struct Call<'a> {
    method: Method,
    path: &'a [&'a str],
    body: Option<Value>,
    asked: Asked,
}

impl Registry {
    /// A client of the registry. Nothing is asked yet.
    ///
    /// # Errors
    /// [`RegistryError::Setting`] when a setting cannot be used.
    pub fn new(config: &RegistryConfig) -> Result<Self, RegistryError> {
        Ok(Self {
            endpoints: settings::endpoints(config).map_err(RegistryError::Setting)?,
            current: AtomicUsize::new(0),
            client: settings::client(config).map_err(RegistryError::Setting)?,
            schemas: Mutex::default(),
        })
    }

    /// Makes BACKWARD the registry's rule for new versions. Doing it again changes nothing.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn set_compatibility(&self) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            let call = Call {
                method: Method::PUT,
                path: &["config"],
                body: Some(json!({ "compatibility": "BACKWARD" })),
                asked: Asked::Compatibility,
            };
            self.ask(&call).await.map(drop)
        })
    }

    /// How many subjects it has: a question that changes nothing.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn subjects(&self) -> BoxFuture<'_, Result<usize, RegistryError>> {
        Box::pin(async move {
            let call = Call {
                method: Method::GET,
                path: &["subjects"],
                body: None,
                asked: Asked::Subjects,
            };
            answer::count_of(&self.ask(&call).await?)
        })
    }

    /// Host and port of the first registry that is asked through TLS.
    #[must_use]
    pub fn first_tls_address(&self) -> Option<String> {
        let mut endpoints = self.endpoints.iter();
        let endpoint = endpoints.find(|endpoint| endpoint.url.scheme() == "https");
        endpoint.map(|endpoint| endpoint.shown.clone())
    }

    /// Registers the stream's current schema and returns its id; a schema that is there already keeps its id.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] when it is incompatible with a version that was there before.
    pub fn register(&self, stream: Stream) -> BoxFuture<'_, Result<u32, RegistryError>> {
        Box::pin(async move { self.register_schema(stream, stream.schema_json()).await })
    }

    /// Registers another version of a stream's schema, as whoever writes a newer one does.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn register_schema<'a>(
        &'a self,
        stream: Stream,
        json: &'a str,
    ) -> BoxFuture<'a, Result<u32, RegistryError>> {
        Box::pin(async move {
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
        })
    }

    async fn post(&self, stream: Stream, schema: &str) -> Result<u32, RegistryError> {
        let call = Call {
            method: Method::POST,
            path: &["subjects", &stream.subject(), "versions"],
            // Without a type it is Avro, to registries as well that know no other.
            body: Some(json!({ "schema": schema })),
            asked: Asked::Registration,
        };
        answer::id_of(&self.ask(&call).await?)
    }

    /// The schema with this id.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] and [`RegistryError::Invalid`] are the message's fault,
    /// [`RegistryError::Unavailable`] is an outage. No error is cached.
    pub fn schema(&self, id: u32) -> BoxFuture<'_, Result<Arc<WriterSchema>, RegistryError>> {
        Box::pin(async move {
            // Ids are Java's: what is greater would be answered as a path that does not exist.
            if i32::try_from(id).is_err() {
                return Err(RegistryError::NotFound { id });
            }
            let known = |schemas: &HashMap<u32, Arc<WriterSchema>>| schemas.get(&id).map(Arc::clone);
            if let Some(schema) = known(&self.schemas.lock().unwrap_or_else(PoisonError::into_inner)) {
                return Ok(schema);
            }
            let call = Call {
                method: Method::GET,
                path: &["schemas", "ids", &id.to_string()],
                body: None,
                asked: Asked::Schema(id),
            };
            let schema = Arc::new(answer::schema_of(id, &self.ask(&call).await?)?);
            self.schemas
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(id, Arc::clone(&schema));
            Ok(schema)
        })
    }

    /// Asks the endpoint that answered last, then the others. All are away: an outage; none is, and each refuses: that.
    async fn ask(&self, call: &Call<'_>) -> Result<Value, RegistryError> {
        let first = self.current.load(Ordering::Relaxed);
        let mut failures = Vec::new();
        for step in 0..self.endpoints.len() {
            let index = (first + step) % self.endpoints.len();
            match self.ask_one(&self.endpoints[index], call).await {
                Err(error @ (RegistryError::Unavailable { .. } | RegistryError::Denied { .. })) => {
                    failures.push(error);
                }
                answered => {
                    self.current.store(index, Ordering::Relaxed);
                    return answered;
                }
            }
        }
        Err(answer::joined(failures))
    }

    async fn ask_one(&self, endpoint: &Endpoint, call: &Call<'_>) -> Result<Value, RegistryError> {
        let mut url = endpoint.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(call.path);
        }
        let mut request = self
            .client
            .request(call.method.clone(), url)
            .header(ACCEPT, CONTENT);
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, CONTENT).json(body);
        }
        let place = &endpoint.shown;
        let failed = |error: reqwest::Error| {
            let error = error.without_url();
            match handshake::refusal(&error) {
                Some(refusal) => RegistryError::Denied {
                    reason: format!(
                        "{place}: {refusal}; see registry.url, registry.ssl_ca, registry.ssl_certificate"
                    ),
                },
                None => RegistryError::Unavailable {
                    reason: format!("{place}: {}", reason_of(&error)),
                },
            }
        };
        let answer = authorized(request, &endpoint.login)
            .send()
            .await
            .map_err(failed)?;
        let status = answer.status();
        let body = match body_of(answer).await {
            Ok(body) => body,
            Err(error) if status.is_success() => return Err(failed(error)),
            // Its status says enough.
            Err(_) => Vec::new(),
        };
        interpret(status, &body, call.asked, place)
    }
}

fn authorized(request: RequestBuilder, login: &Login) -> RequestBuilder {
    match login {
        Login::None => request,
        Login::Basic { username, password } => request.basic_auth(username, Some(password.expose())),
        Login::Bearer(token) => request.bearer_auth(token.expose()),
    }
}
