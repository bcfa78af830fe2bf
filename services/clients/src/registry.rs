//! A client of a schema registry with Confluent's API.
//!
//! | answer | meaning |
//! |---|---|
//! | JSON with `error_code` 40403 | unknown schema id: a dead letter |
//! | 409 or 422 in registry JSON | the schema is rejected: fatal |
//! | 401, 403, a refused or missing certificate | a setting is wrong: the service stops and names it |
//! | any other 404, HTML, a truncated body, a redirect, 408, 429, 5xx, nothing | an outage: retried |
//!
//! Apicurio's `/apis/ccompat/v7` uses the same codes: `ContentNotFoundException` is 40403.

mod answer;
mod check;
mod error;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use pulseline_runtime::config::RegistryConfig;
use pulseline_schemas::{Stream, WriterSchema};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::handshake;
pub use check::check;
pub use error::RegistryError;

use answer::{Asked, body_of, interpret, reason_of};
use settings::{Endpoint, Login};

/// Confluent's content type, which every registry understands.
const CONTENT: &str = "application/vnd.schemaregistry.v1+json";

/// A registry client. A schema never changes under its id, so each is fetched once.
pub struct Registry {
    endpoints: Vec<Endpoint>,
    /// The endpoint that answered last.
    current: AtomicUsize,
    client: reqwest::Client,
    schemas: Mutex<HashMap<u32, Arc<WriterSchema>>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Omits the endpoints, which hold credentials.
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// A request: path below the base URL, and body.
struct Call<'a> {
    method: Method,
    path: &'a [&'a str],
    body: Option<Value>,
    asked: Asked,
}

impl Registry {
    /// Creates a client without connecting.
    ///
    /// # Errors
    /// [`RegistryError::Setting`] when a setting is wrong.
    pub fn new(config: &RegistryConfig) -> Result<Self, RegistryError> {
        Ok(Self {
            endpoints: settings::endpoints(config).map_err(RegistryError::Setting)?,
            current: AtomicUsize::new(0),
            client: settings::client(config).map_err(RegistryError::Setting)?,
            schemas: Mutex::default(),
        })
    }

    /// Sets the registry's compatibility to BACKWARD. Idempotent.
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

    /// The number of subjects, as a read-only check.
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

    /// Host and port of the first registry with TLS.
    #[must_use]
    pub fn first_tls_address(&self) -> Option<String> {
        let mut endpoints = self.endpoints.iter();
        let endpoint = endpoints.find(|endpoint| endpoint.url.scheme() == "https");
        endpoint.map(|endpoint| endpoint.shown.clone())
    }

    /// Registers the stream's current schema and returns its id. Idempotent.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] when it is incompatible with an earlier version.
    pub fn register(&self, stream: Stream) -> BoxFuture<'_, Result<u32, RegistryError>> {
        Box::pin(async move { self.register_schema(stream, stream.schema_json()).await })
    }

    /// Registers another version of a stream's schema, as a newer writer does.
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
                // Apicurio answers 409 to concurrent registrations of a new subject, except the first.
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
            // Without a type it is Avro, also for registries that know only Avro.
            body: Some(json!({ "schema": schema })),
            asked: Asked::Registration,
        };
        answer::id_of(&self.ask(&call).await?)
    }

    /// The schema with this id.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] and [`RegistryError::Invalid`] blame the message,
    /// [`RegistryError::Unavailable`] is an outage. No error is cached.
    pub fn schema(&self, id: u32) -> BoxFuture<'_, Result<Arc<WriterSchema>, RegistryError>> {
        Box::pin(async move {
            // Ids are Java ints: a greater one would get a plain 404.
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

    /// Tries the last working endpoint, then the others. Fails permanently only when every endpoint refuses.
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
            // The status suffices.
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
