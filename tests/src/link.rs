//! A network link to a real server. Its mode changes while data flows: it passes, is cut, slow, half-open, or
//! reset.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const BUFFER_BYTES: usize = 64 << 10;
/// Buffer of a slow link: small, so that each pause is short.
const SLOW_BUFFER_BYTES: usize = 1 << 10;
/// How long the other side of a cut connection may take to notice its end.
const LINGER: Duration = Duration::from_secs(1);

/// How a link treats its connections, open and new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything.
    Pass,
    /// Passes this many bytes per second and direction.
    Slow(usize),
    /// Ends every connection with a FIN.
    Cut,
    /// Ends every connection with an RST.
    Reset,
    /// Accepts data and answers nothing, as a host that vanished. When another mode follows, both sides get an RST,
    /// as from a host that restarted.
    HalfOpen,
    /// Passes half of every answer, then ends the connection.
    BreakOff,
}

impl Mode {
    fn carries(self) -> bool {
        matches!(self, Self::Pass | Self::Slow(_) | Self::BreakOff)
    }
}

/// A link; it ends when dropped.
pub struct Link {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    task: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Listens in front of `upstream` (`host:port`), which need not be running yet.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mode, seen) = watch::channel(Mode::Pass);
        let upstream = upstream.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, seen) = (upstream.clone(), seen.clone());
                tokio::spawn(async move {
                    // Either side may close at any time; the link then closes the other side.
                    drop(serve(client, &upstream, seen).await);
                });
            }
        });
        Ok(Self { address, mode, task })
    }

    /// The link's address, for clients.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Switches every connection at once.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn serve(mut client: TcpStream, upstream: &str, mut seen: watch::Receiver<Mode>) -> Result<()> {
    client.set_nodelay(true)?;
    let mode = *seen.borrow_and_update();
    let mut server = None;
    if mode.carries() {
        let connected = TcpStream::connect(upstream).await?;
        connected.set_nodelay(true)?;
        server = Some(connected);
    }
    if let Some(server) = &mut server {
        let mut watched = seen.clone();
        tokio::select! {
            ended = carry(&mut client, server, &seen) => return ended,
            _ = watched.wait_for(|mode| !mode.carries()) => {}
        }
    }
    let mode = *seen.borrow_and_update();
    if mode == Mode::HalfOpen {
        tokio::select! {
            () = swallow(&mut client, server.as_mut()) => {}
            _ = seen.wait_for(|mode| *mode != Mode::HalfOpen) => {}
        }
    }
    if mode == Mode::Cut {
        return finish(&mut client, server.as_mut()).await;
    }
    client.set_zero_linger()?;
    if let Some(server) = &server {
        server.set_zero_linger()?;
    }
    Ok(())
}

/// Sends a FIN to both sides and reads what they still send: unread bytes would turn the FIN into an RST.
async fn finish(client: &mut TcpStream, server: Option<&mut TcpStream>) -> Result<()> {
    client.shutdown().await?;
    if let Some(server) = server {
        server.shutdown().await?;
    }
    drop(tokio::time::timeout(LINGER, drain(client)).await);
    Ok(())
}

/// Carries both directions until both end or one fails.
async fn carry(client: &mut TcpStream, server: &mut TcpStream, seen: &watch::Receiver<Mode>) -> Result<()> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        pump(from_client, to_server, seen, false),
        pump(from_server, to_client, seen, true),
    )?;
    Ok(())
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    seen: &watch::Receiver<Mode>,
    is_answer: bool,
) -> Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(to.shutdown().await?);
        }
        let mut left = &buffer[..read];
        while !left.is_empty() {
            let mode = *seen.borrow();
            let now = match mode {
                Mode::Slow(_) => left.len().min(SLOW_BUFFER_BYTES),
                Mode::BreakOff if is_answer => left.len() / 2,
                _ => left.len(),
            };
            to.write_all(&left[..now]).await?;
            left = &left[now..];
            match mode {
                Mode::BreakOff if is_answer => anyhow::bail!("broken off"),
                Mode::Slow(rate) => tokio::time::sleep(pause(now, rate)).await,
                _ => {}
            }
        }
    }
}

fn pause(bytes: usize, rate: usize) -> Duration {
    Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX)
        / u32::try_from(rate.max(1)).unwrap_or(u32::MAX)
}

async fn drain(stream: &mut TcpStream) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// Reads both sides and answers neither; it never ends.
async fn swallow(client: &mut TcpStream, server: Option<&mut TcpStream>) {
    match server {
        Some(server) => {
            tokio::join!(drain(client), drain(server));
        }
        None => drain(client).await,
    }
    std::future::pending::<()>().await;
}
