//! Logs, `/metrics`, `/livez` and `/readyz`.

use std::io::IsTerminal;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use futures_util::future::BoxFuture;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::health;
use crate::http::{Access, HttpConfig, HttpError, Server, guarded};
use crate::metrics;
use crate::shutdown::Shutdown;

pub use crate::health::Health;

const SECONDS_BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];
const BYTES_BUCKETS: [f64; 9] = [1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6, 64e6];
const ROWS_BUCKETS: [f64; 9] = [1.0, 10.0, 100.0, 1e3, 5e3, 10e3, 50e3, 100e3, 500e3];

/// Address and credentials of metrics and health.
pub type TelemetryConfig = HttpConfig;

/// An error that prevents telemetry from starting.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A setting is wrong; the text names it.
    #[error("configuration: {0}")]
    Config(String),
    /// The address is in use or not local.
    #[error("cannot listen on {address} for metrics: set telemetry.listen to a free address")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The process has a recorder already.
    #[error("cannot install the metrics recorder: {0}")]
    Recorder(String),
}

/// Logs text on a terminal, JSON otherwise; `RUST_LOG` filters, `info` by default.
pub fn init_logs() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,librdkafka=warn,rdkafka=warn,tokio_postgres=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second call in one process (tests) keeps the first subscriber.
    let _kept = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}

/// Installs the process-wide recorder. Histograms have buckets by suffix, never summaries.
///
/// # Errors
/// When a recorder is installed already.
pub fn install_recorder() -> Result<PrometheusHandle, TelemetryError> {
    let buckets = [
        ("_seconds", &SECONDS_BUCKETS[..]),
        ("_bytes", &BYTES_BUCKETS[..]),
        ("_rows", &ROWS_BUCKETS[..]),
    ];
    let mut builder = PrometheusBuilder::new();
    for (suffix, values) in buckets {
        builder = builder
            .set_buckets_for_metric(Matcher::Suffix(suffix.to_owned()), values)
            .map_err(|error| TelemetryError::Recorder(error.to_string()))?;
    }
    builder
        .install_recorder()
        .map_err(|error| TelemetryError::Recorder(error.to_string()))
}

/// Serves `/metrics`, `/livez` and `/readyz` until the process stops; returns the address. Only `/metrics` requires
/// credentials: probes have none, and their answers hold no secrets.
///
/// # Errors
/// A wrong setting, or an address that cannot be bound.
pub fn serve(
    config: &TelemetryConfig,
    recorder: PrometheusHandle,
    health: Health,
    shutdown: Shutdown,
) -> BoxFuture<'_, Result<SocketAddr, TelemetryError>> {
    Box::pin(async move {
        let server = Server::bind("telemetry", config)
            .await
            .map_err(|error| match error {
                HttpError::Config(why) => TelemetryError::Config(why),
                HttpError::Listen(source) => TelemetryError::Listen {
                    address: config.listen,
                    source,
                },
            })?;
        let address = server.address();
        metrics::describe();
        let router = health::routes(&health);
        let shown = move || {
            metrics::record_memory();
            health::record(&health);
            std::future::ready(recorder.render())
        };
        let router = router.merge(guarded(
            Router::new().route("/metrics", get(shown)),
            Access::new(config),
        ));
        tracing::info!(%address, "metrics at {}/metrics", server.url());
        tokio::spawn(async move { server.serve(router, shutdown.abandoned()).await });
        Ok(address)
    })
}
