//! The client against servers that answer as registries, proxies and broken hosts do.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use pulseline_runtime::config::Secret;
use pulseline_runtime::retry::{Class, Classify};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

fn config(urls: impl Into<String>) -> RegistryConfig {
    RegistryConfig {
        url: Secret::new(urls),
        ..RegistryConfig::default()
    }
}

fn registry(urls: impl Into<String>) -> Registry {
    Registry::new(&config(urls)).unwrap()
}

/// A server that answers everything with what `answer` makes of path and headers; gives its address.
async fn server<F>(answer: F) -> SocketAddr
where
    F: Fn(&Uri, &HeaderMap) -> (u16, String) + Clone + Send + Sync + 'static,
{
    let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
        let (status, body) = answer(&uri, &headers);
        let status = StatusCode::from_u16(status).unwrap();
        async move {
            let response = Response::builder()
                .status(status)
                .header(header::LOCATION, "/elsewhere");
            response.body(Body::from(body)).unwrap()
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn steps() -> String {
    json!({ "schema": Stream::Steps.schema_json() }).to_string()
}

#[tokio::test]
async fn ids_and_schemas_are_asked_for_below_the_path_of_the_url() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let address = server(move |uri, _| {
        count.fetch_add(1, Ordering::Relaxed);
        match uri.path() {
            "/apis/v7/schemas/ids/7" => (200, steps()),
            "/apis/v7/subjects/fitbit.steps-value/versions" => (200, r#"{"id": 7}"#.into()),
            "/apis/v7/config" => (200, r#"{"compatibility": "BACKWARD"}"#.into()),
            other => (404, other.to_owned()),
        }
    })
    .await;
    let registry = registry(format!("http://{address}/apis/v7/"));
    registry.set_compatibility().await.unwrap();
    assert_eq!(registry.register(Stream::Steps).await, Ok(7));
    registry.schema(7).await.unwrap();
    let before = asked.load(Ordering::Relaxed);
    registry.schema(7).await.unwrap();
    // What begins like a frame and is none: no registry has such an id, and none is asked.
    assert_eq!(
        registry.schema(u32::MAX).await.unwrap_err(),
        RegistryError::NotFound { id: u32::MAX }
    );
    assert_eq!(asked.load(Ordering::Relaxed), before);
}

#[tokio::test]
async fn p_19_a_proxy_that_answers_for_the_registry_is_an_outage() {
    for (status, body) in [
        (404, "<html>default backend - 404</html>"),
        (302, ""),
        (200, "<html>welcome</html>"),
        (200, "{\"schema\": \"{"),
        (503, "{\"error_code\": 50301, \"message\": \"no leader\"}"),
    ] {
        let address = server(move |_, _| (status, body.to_owned())).await;
        let registry = registry(format!("http://{address}"));
        for error in [
            registry.schema(7).await.unwrap_err(),
            registry.register(Stream::Steps).await.unwrap_err(),
        ] {
            assert!(
                matches!(error, RegistryError::Unavailable { .. }),
                "{status}: {error}"
            );
            assert_eq!(error.class(), Class::Transient);
        }
    }
    let address = server(|_, _| {
        (
            404,
            r#"{"error_code": 40403, "message": "Schema 7 not found"}"#.to_owned(),
        )
    })
    .await;
    let unknown = registry(format!("http://{address}")).schema(7).await.unwrap_err();
    assert_eq!(unknown.class(), Class::Definite);
}

/// Takes a connection, reads a request's head, answers so, and closes it: again and again.
fn raw_server(answer: &'static [u8]) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        }
    });
    address
}

#[tokio::test]
async fn p_19_a_truncated_body_is_an_outage() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"schema\": "[..],
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 100\r\n\r\n{\"error_code\": 40403, ",
        b"",
    ] {
        let error = registry(format!("http://{}", raw_server(answer)))
            .schema(7)
            .await
            .unwrap_err();
        assert!(matches!(error, RegistryError::Unavailable { .. }), "{error}");
    }
}

#[tokio::test]
async fn nobody_listening_is_an_outage_and_names_the_place_without_the_password() {
    let registry = registry("http://user:hunter2@127.0.0.1:1");
    let away = registry.set_compatibility().await.unwrap_err();
    let RegistryError::Unavailable { reason } = &away else {
        panic!("{away}")
    };
    assert!(
        reason.contains("127.0.0.1:1") && reason.contains("refused"),
        "{reason}"
    );
    assert!(!format!("{away:?} {registry:?}").contains("hunter2"));
}

#[tokio::test]
async fn the_next_url_is_asked_when_one_is_away_and_stays_the_first() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let broken = server(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        (503, String::new())
    })
    .await;
    let well = server(|_, _| (200, r#"{"id": 7}"#.into())).await;
    let registry = registry(format!("http://{broken}, http://127.0.0.1:1, http://{well}"));
    for _ in 0..3 {
        assert_eq!(registry.register(Stream::Steps).await, Ok(7));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn credentials_are_sent_and_whoever_is_refused_stops() {
    let guarded = |expected: &'static str| {
        server(move |_, headers| {
            let sent = headers
                .get(header::AUTHORIZATION)
                .and_then(|sent| sent.to_str().ok());
            match sent {
                Some(sent) if sent == expected => (200, r#"{"id": 7}"#.into()),
                _ => (401, r#"{"error_code": 401, "message": "Unauthorized"}"#.into()),
            }
        })
    };
    // user:pass
    let basic = guarded("Basic dXNlcjpwYXNz").await;
    let bearer = guarded("Bearer abc").await;
    let mine = RegistryConfig {
        username: "user".into(),
        password: Secret::new("pass"),
        ..config(format!("http://{basic}"))
    };
    let token = RegistryConfig {
        bearer_token: Secret::new("abc\n"),
        ..config(format!("http://{bearer}"))
    };
    for config in [mine, config(format!("http://user:pass@{basic}")), token] {
        let registry = Registry::new(&config).unwrap();
        assert_eq!(registry.register(Stream::Steps).await, Ok(7));
    }
    let wrong = registry(format!("http://user:hunter2@{basic}"));
    let refused = wrong.register(Stream::Steps).await.unwrap_err();
    assert_eq!(refused.class(), Class::Fatal);
    let text = refused.to_string();
    assert!(
        text.contains("registry.password") && !text.contains("hunter2"),
        "{text}"
    );
}

/// A certificate of an authority of its own, for `name`; with what signed it, as PEM.
fn certificate(name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    (made.cert.der().clone(), key, made.cert.pem())
}

/// A TLS server on this machine that answers a registration; gives its port and its authority's file.
fn tls_server(name: &str, wants_certificate: bool) -> (u16, tempfile::TempDir, PathBuf) {
    let (certificate, key, pem) = certificate(name);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if wants_certificate {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let config = Arc::new(builder.with_single_cert(vec![certificate], key).unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream);
            if tls.read(&mut [0; 4096]).is_ok() {
                let _ = tls.write_all(
                    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 8\r\n\r\n{\"id\":7}",
                );
            }
            // Closed with something unread, it would take back the alert that it has sent.
            while matches!(tls.sock.read(&mut [0; 4096]), Ok(1..)) {}
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    (port, folder, ca)
}

#[tokio::test]
async fn a_certificate_that_is_refused_stops_with_its_cause_and_its_setting() {
    let (port, _folder, ca) = tls_server("localhost", false);
    let trusting = |host: &str| RegistryConfig {
        ssl_ca: Some(ca.clone()),
        ..config(format!("https://{host}:{port}"))
    };
    let well = Registry::new(&trusting("localhost")).unwrap();
    assert_eq!(well.register(Stream::Steps).await, Ok(7));
    let unknown = registry(format!("https://localhost:{port}"));
    let wrong_name = Registry::new(&trusting("127.0.0.1")).unwrap();
    for (registry, cause) in [(unknown, "trusted CA"), (wrong_name, "host name")] {
        let refused = registry.register(Stream::Steps).await.unwrap_err();
        assert_eq!(refused.class(), Class::Fatal, "{refused}");
        let text = refused.to_string();
        assert!(text.contains(cause) && text.contains("registry.ssl_ca"), "{text}");
    }
}

#[tokio::test]
async fn a_registry_that_wants_a_client_certificate_says_so() {
    let (port, _folder, ca) = tls_server("localhost", true);
    let config = RegistryConfig {
        ssl_ca: Some(ca),
        ..config(format!("https://localhost:{port}"))
    };
    let refused = Registry::new(&config).unwrap().schema(1).await.unwrap_err();
    assert_eq!(refused.class(), Class::Fatal, "{refused}");
    let text = refused.to_string();
    assert!(
        text.contains("client certificate") && text.contains("registry.ssl_certificate"),
        "{text}"
    );
}
