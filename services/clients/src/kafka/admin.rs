//! Admin clients.
//!
//! The Rust wrapper never polls an admin client's main queue: it delivers no asynchronous errors and no token requests. So a
//! consumer connects first and receives both; the admin client then gets the token before its first request.
#![allow(
    unsafe_code,
    reason = "rd_kafka_oauthbearer_set_token has no safe wrapper; every pointer stays in this file"
)]

use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_runtime::config::SecurityProtocol;
use rdkafka::admin::AdminClient;
use rdkafka::bindings as sys;
use rdkafka::client::OAuthToken;
use rdkafka::consumer::BaseConsumer;
use rdkafka::types::RDKafkaRespErr;

use super::error::KafkaFailure;
use super::guard::Guard;
use super::metadata::metadata;
use super::settings::Settings;

/// Size of librdkafka's error buffer.
const SAID_BYTES: usize = 512;

impl Settings {
    /// Creates an admin client, once the brokers have accepted a consumer with the same settings.
    ///
    /// # Errors
    /// [`KafkaFailure::Config`] when librdkafka rejects a property; a refusal; an outage longer than `timeout`.
    pub fn admin(&self, timeout: Duration) -> BoxFuture<'_, Result<AdminClient<Guard>, KafkaFailure>> {
        Box::pin(async move {
            if self.protocol() != SecurityProtocol::Plaintext {
                let consumer: BaseConsumer<Guard> = self.create()?;
                let asking = tokio::task::spawn_blocking(move || metadata(&consumer, timeout).map(drop));
                let asked = asking.await;
                asked.map_err(|error| {
                    KafkaFailure::Config(format!("an internal task ended without a result: {error}"))
                })??;
            }
            let (admin, guard): (AdminClient<Guard>, Guard) = self.create_guarded()?;
            if self.has_tokens() {
                let fetching =
                    tokio::task::spawn_blocking(move || guard.token().map_err(|error| error.to_string()));
                let token = fetching.await.unwrap_or_else(|error| Err(error.to_string()));
                let token = token.map_err(|error| KafkaFailure::Refused(format!("Kafka: {error}")))?;
                set_token(&admin, &token).map_err(KafkaFailure::Config)?;
            }
            Ok(admin)
        })
    }
}

fn set_token(admin: &AdminClient<Guard>, token: &OAuthToken) -> Result<(), String> {
    let text = |value: &str| CString::new(value).map_err(|_| "the token contains a zero byte".to_owned());
    let (value, principal) = (text(&token.token)?, text(&token.principal_name)?);
    let mut said: [c_char; SAID_BYTES] = [0; SAID_BYTES];
    // SAFETY: the client lives as long as `admin`; all texts end with a zero and outlive the call, which copies them; there are no
    // extensions; `said` has the length that is told, and ends with a zero afterwards.
    let code = unsafe {
        sys::rd_kafka_oauthbearer_set_token(
            admin.inner().native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            std::ptr::null_mut(),
            0,
            said.as_mut_ptr(),
            said.len(),
        )
    };
    if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    // SAFETY: see above.
    let said = unsafe { CStr::from_ptr(said.as_ptr()) };
    Err(format!(
        "librdkafka rejects the token: {}",
        said.to_string_lossy()
    ))
}
