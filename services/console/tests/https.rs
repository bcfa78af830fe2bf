//! The console where other machines can ask: over TLS, behind a password, with no server at hand.
#![allow(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use pulseline_console::{ConsoleConfig, ConsoleConnections, ConsoleError, run};
use pulseline_runtime::config::{KafkaConfig, MongoConfig, Secret, TimescaleConfig};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry::Health;
use reqwest::{Certificate, Client, RequestBuilder, Response};

const USER: &str = "Aladdin";
const PASSWORD: &str = "open sesame";
const READERS: &str = "fedcba9876543210";
const TOKEN: &str = "0123456789abcdef";
const STARTS: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Nobody answers there.
fn nowhere() -> ConsoleConnections {
    let closed = "127.0.0.1:1";
    ConsoleConnections {
        audited: pulseline_auditor::AuditorConnections {
            kafka: KafkaConfig {
                brokers: closed.into(),
                ..KafkaConfig::default()
            },
            mongo: MongoConfig {
                uri: Secret::new(format!("mongodb://{closed}/?serverSelectionTimeoutMS=200")),
                ..MongoConfig::default()
            },
            timescale: TimescaleConfig {
                url: Secret::new(format!("postgres://me@{closed}/none?sslmode=disable")),
                ..TimescaleConfig::default()
            },
            group: "sink".into(),
        },
        compactor: pulseline_compactor::CompactorConfig::default(),
    }
}

fn config(folder: &Path) -> ConsoleConfig {
    ConsoleConfig {
        tls_certificate: folder.join("tls.crt"),
        tls_key: folder.join("tls.key"),
        bearer_token: Secret::new(READERS),
        basic_user: USER.into(),
        basic_password: Secret::new(PASSWORD),
        token: Secret::new(TOKEN),
        ..ConsoleConfig::default()
    }
}

/// Writes a certificate that signs itself, and its key; gives a client that trusts it.
fn certified(folder: &Path) -> Client {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    // A second call finds the provider there already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let trusted = Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    Client::builder().tls_certs_only([trusted]).build().unwrap()
}

async fn until_served(client: &Client, url: &str) {
    let deadline = Instant::now() + STARTS;
    while let Err(error) = client.get(url).send().await {
        assert!(Instant::now() < deadline, "never served: {error:?}");
        tokio::time::sleep(POLL).await;
    }
}

async fn answered(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

#[tokio::test]
async fn the_page_opens_with_the_password_and_changes_something_with_the_token_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let client = certified(folder.path());
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = ConsoleConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], port)),
        ..config(folder.path())
    };
    let shutdown = Shutdown::new();
    let running = tokio::spawn(run(config, nowhere(), Health::new(), shutdown.clone()));
    let at = |path: &str| format!("https://localhost:{port}{path}");
    until_served(&client, &at("/")).await;

    for path in ["/", "/app.js", "/api/status.json", "/api/nothing"] {
        let refused = answered(client.get(at(path))).await;
        assert_eq!(refused.status(), 401, "{path}");
        let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Basic realm="), "{challenge}");
        assert_eq!(refused.headers()["cache-control"], "no-store");
        let wrong = client.get(at(path)).basic_auth(USER, Some("open barley"));
        assert_eq!(answered(wrong).await.status(), 401, "{path}");
    }
    let page = answered(client.get(at("/")).basic_auth(USER, Some(PASSWORD))).await;
    assert!(page.status() == 200 && page.text().await.unwrap().contains("<html"));
    assert_eq!(
        answered(client.get(at("/app.js")).bearer_auth(READERS))
            .await
            .status(),
        200
    );
    let foreign = client
        .get(at("/"))
        .basic_auth(USER, Some(PASSWORD))
        .header("Host", "evil.example");
    assert_eq!(answered(foreign).await.status(), 403);

    let replay = || {
        client
            .post(at("/api/replay.json?origin=mongo:steps/x"))
            .basic_auth(USER, Some(PASSWORD))
    };
    assert_eq!(answered(replay()).await.status(), 403, "the password alone");
    let token_alone = client.post(at("/api/replay.json?origin=x")).bearer_auth(TOKEN);
    assert_eq!(answered(token_alone).await.status(), 401, "the token alone");
    let unencrypted = format!("http://localhost:{port}");
    let with_token = || replay().header("Pulseline-Token", TOKEN);
    assert_eq!(
        answered(with_token().header("Origin", unencrypted))
            .await
            .status(),
        403
    );
    // Both pass; the warehouse is away.
    let passed = answered(with_token().header("Origin", format!("https://localhost:{port}"))).await;
    assert_eq!(passed.status(), 503, "{:?}", passed.text().await);

    shutdown.stop();
    let ended = tokio::time::timeout(STARTS, running).await;
    ended.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn without_a_password_it_starts_on_loopback_only() {
    let open = ConsoleConfig {
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        token: Secret::new(TOKEN),
        ..ConsoleConfig::default()
    };
    let ended = run(open, nowhere(), Health::new(), Shutdown::new()).await;
    let refused = ended.unwrap_err();
    assert!(matches!(refused, ConsoleError::Config(_)), "{refused}");
    let said = refused.to_string();
    for named in [
        "console.listen",
        "console.basic_user",
        "console.allow_unauthenticated",
    ] {
        assert!(said.contains(named), "{said}");
    }
}
