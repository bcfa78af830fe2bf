//! The HTTP server: one task per connection.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::BoxFuture;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::certificates::Certificates;
use super::config::HttpConfig;

/// Most concurrent connections; further ones wait.
const CONNECTIONS_MAX: usize = 256;
/// Longest TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Longest idle time of a connection: longer than any scrape interval.
const IDLE: Duration = Duration::from_secs(75);
/// Pause after a failed accept, for example with too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// An error that prevents the server from starting.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A setting is wrong; the text names it.
    #[error("configuration: {0}")]
    Config(String),
    /// The address is in use or not local.
    #[error("cannot listen: {0}")]
    Listen(#[source] io::Error),
}

/// A bound server, ready to serve a router.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<(Certificates, TlsAcceptor)>,
}

impl Server {
    /// Checks the settings of `section`, reads the certificate, and listens.
    ///
    /// # Errors
    /// A wrong setting, unusable files, or an address already in use.
    pub fn bind<'a>(section: &'static str, config: &'a HttpConfig) -> BoxFuture<'a, Result<Self, HttpError>> {
        Box::pin(async move {
            config.validate(section).map_err(HttpError::Config)?;
            let tls = if config.has_tls() {
                let certificates = Certificates::read(section, config)
                    .await
                    .map_err(HttpError::Config)?;
                let server = certificates.server_config().map_err(HttpError::Config)?;
                Some((certificates, TlsAcceptor::from(Arc::new(server))))
            } else {
                None
            };
            if tls.is_none() && config.has_authentication() && !config.is_loopback() {
                tracing::warn!(
                    "{section}: credentials cross the network unencrypted: set {section}.tls_certificate and \
                 {section}.tls_key, or terminate TLS at a proxy"
                );
            }
            let listener = TcpListener::bind(config.listen)
                .await
                .map_err(HttpError::Listen)?;
            let address = listener.local_addr().map_err(HttpError::Listen)?;
            Ok(Self {
                listener,
                address,
                tls,
            })
        })
    }

    /// The actual listen address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, such as `https://127.0.0.1:8620`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `end`, then finishes open requests. Dropping the future ends it at once.
    pub async fn serve(self, router: Router, end: impl Future<Output = ()>) {
        let stop = CancellationToken::new();
        let mut connections = JoinSet::new();
        let (certificates, acceptor) = self.tls.unzip();
        {
            let mut end = pin!(end);
            let mut watch = pin!(watch(certificates));
            loop {
                tokio::select! {
                    biased;
                    () = &mut end => break,
                    () = &mut watch => {}
                    Some(_ended) = connections.join_next() => {}
                    stream = accepted(&self.listener), if connections.len() < CONNECTIONS_MAX => {
                        connections.spawn(connection(stream, acceptor.clone(), router.clone(), stop.clone()));
                    }
                }
            }
        }
        drop(self.listener);
        stop.cancel();
        while connections.join_next().await.is_some() {}
    }
}

/// Accepts connections; never returns.
async fn watch(certificates: Option<Certificates>) {
    match certificates {
        Some(mut certificates) => certificates.watch().await,
        None => std::future::pending().await,
    }
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    stop: CancellationToken,
) {
    let Some(acceptor) = acceptor else {
        return spoken(stream, router, stop).await;
    };
    let handshake = timeout(HANDSHAKE, acceptor.accept(stream));
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => spoken(stream, router, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "a client's TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake timed out"),
    }
}

async fn spoken(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router, stop: CancellationToken) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
