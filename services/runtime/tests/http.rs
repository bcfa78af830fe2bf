//! `/metrics` over TLS and behind a token or password, as a scraper and a probe meet it.
#![allow(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use pulseline_runtime::config::Secret;
use pulseline_runtime::http::HttpConfig;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry::{Health, TelemetryError, serve};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Certificate, Client, StatusCode};

const TOKEN: &str = "0123456789abcdef";
const PASSWORD: &str = "open sesame";
/// Well above the pause between two looks at the files.
const RELOAD: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// A CA of the tests.
struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes a certificate for the server, and its key.
    fn sign(&self, folder: &Path) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0);
        std::fs::write(folder.join("tls.crt"), certificate.unwrap().pem()).unwrap();
        std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    }

    /// A client that trusts this CA only; each handshake is a new one.
    fn client(&self) -> Client {
        install_provider();
        let ca = Certificate::from_pem(self.0.pem().as_bytes()).unwrap();
        Client::builder().tls_certs_only([ca]).build().unwrap()
    }
}

/// Every client needs it, whichever test runs first; a second call finds it there already.
fn install_provider() {
    let _installed = rustls::crypto::ring::default_provider().install_default();
}

fn over_tls(folder: &Path) -> HttpConfig {
    HttpConfig {
        tls_certificate: folder.join("tls.crt"),
        tls_key: folder.join("tls.key"),
        ..HttpConfig::default()
    }
}

async fn served(config: &HttpConfig, shutdown: &Shutdown) -> Result<SocketAddr, TelemetryError> {
    let recorder = PrometheusBuilder::new().build_recorder().handle();
    let health = Health::new();
    health.set_ready(true);
    serve(config, recorder, health, shutdown.clone()).await
}

#[tokio::test]
async fn https_is_served_with_the_ca_s_certificate_and_with_the_next_one() {
    let (folder, one, other) = (tempfile::tempdir().unwrap(), Ca::new(), Ca::new());
    one.sign(folder.path());
    let shutdown = Shutdown::new();
    let address = served(&over_tls(folder.path()), &shutdown).await.unwrap();
    let port = address.port();
    for name in ["127.0.0.1", "localhost"] {
        let url = format!("https://{name}:{port}/metrics");
        assert_eq!(
            one.client().get(url).send().await.unwrap().status(),
            StatusCode::OK
        );
    }
    let url = format!("https://localhost:{port}/readyz");
    assert!(other.client().get(&url).send().await.is_err(), "another CA");
    let plain = format!("http://127.0.0.1:{port}/readyz");
    assert!(
        one.client().get(plain).send().await.is_err(),
        "without encryption"
    );

    other.sign(folder.path());
    let deadline = Instant::now() + RELOAD;
    while other.client().get(&url).send().await.is_err() {
        assert!(Instant::now() < deadline, "the new certificate is never taken");
        tokio::time::sleep(POLL).await;
    }
    assert!(one.client().get(&url).send().await.is_err(), "the old one");

    shutdown.stop();
    assert!(other.client().get(&url).send().await.is_ok(), "it drains");
    shutdown.abandon();
    let deadline = Instant::now() + RELOAD;
    while other.client().get(&url).send().await.is_ok() {
        assert!(Instant::now() < deadline, "it never ends");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test]
async fn metrics_ask_for_credentials_and_probes_do_not() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), Ca::new());
    ca.sign(folder.path());
    let config = HttpConfig {
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        bearer_token: Secret::new(TOKEN),
        basic_user: "scraper".into(),
        basic_password: Secret::new(PASSWORD),
        ..over_tls(folder.path())
    };
    let shutdown = Shutdown::new();
    let port = served(&config, &shutdown).await.unwrap().port();
    let (client, at) = (ca.client(), |path: &str| {
        format!("https://127.0.0.1:{port}{path}")
    });
    for path in ["/livez", "/readyz"] {
        let answer = client.get(at(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let metrics = || client.get(at("/metrics"));
    for right in [
        metrics().bearer_auth(TOKEN),
        metrics().basic_auth("scraper", Some(PASSWORD)),
    ] {
        assert_eq!(right.send().await.unwrap().status(), StatusCode::OK);
    }
    for wrong in [
        metrics(),
        metrics().bearer_auth("0123456789abcdeF"),
        metrics().basic_auth("scraper", Some(TOKEN)),
        metrics().basic_auth("reader", Some(PASSWORD)),
    ] {
        let answer = wrong.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers().get_all("www-authenticate").iter().count(), 2);
        assert!(!answer.text().await.unwrap().contains("# "), "it tells metrics");
    }
    shutdown.abandon();
}

#[tokio::test]
async fn where_other_machines_can_ask_something_guards_it_or_says_that_nothing_does() {
    let open = HttpConfig {
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        ..HttpConfig::default()
    };
    let shutdown = Shutdown::new();
    let refused = served(&open, &shutdown).await.unwrap_err();
    assert!(matches!(refused, TelemetryError::Config(_)), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("telemetry.allow_unauthenticated"), "{said}");
    let allowed = HttpConfig {
        allow_unauthenticated: true,
        ..open
    };
    let port = served(&allowed, &shutdown).await.unwrap().port();
    let url = format!("http://127.0.0.1:{port}/metrics");
    install_provider();
    assert_eq!(
        Client::new().get(url).send().await.unwrap().status(),
        StatusCode::OK
    );
    shutdown.abandon();
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let refused = served(&over_tls(folder.path()), &Shutdown::new())
        .await
        .unwrap_err();
    let said = refused.to_string();
    assert!(
        matches!(refused, TelemetryError::Config(_)) && said.contains("telemetry.tls_certificate"),
        "{said}"
    );
}
