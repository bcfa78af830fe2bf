//! A relay to a real server that drops or delays replies: the server executes requests, and clients do not learn
//! it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const BUFFER_BYTES: usize = 64 << 10;

/// Which replies are lost: replies to requests that contain these bytes.
#[derive(Debug)]
struct Script {
    marker: Vec<u8>,
    left: AtomicUsize,
    lost: AtomicUsize,
    /// Replies still to be withheld, and replies withheld so far.
    to_keep: AtomicUsize,
    kept: AtomicUsize,
    released: Notify,
    /// Replies to requests on all connections.
    round_trips: AtomicUsize,
}

/// A relay; it ends when dropped.
pub struct Relay {
    address: SocketAddr,
    script: Arc<Script>,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// Listens in front of `upstream` (`host:port`). The replies to requests with `marker` can be lost.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(upstream: &str, marker: &[u8]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let script = Arc::new(Script {
            marker: marker.to_vec(),
            left: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            to_keep: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            released: Notify::new(),
            round_trips: AtomicUsize::new(0),
        });
        let (upstream, shared) = (upstream.to_owned(), Arc::clone(&script));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, script) = (upstream.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    // Either side may close at any time; the relay then closes the other side.
                    drop(carry(client, &upstream, &script).await);
                });
            }
        });
        Ok(Self {
            address,
            script,
            task,
        })
    }

    /// The relay's address, for clients.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Drops the replies to the next `count` marked requests.
    pub fn lose(&self, count: usize) {
        self.script.left.fetch_add(count, Ordering::SeqCst);
    }

    /// Withholds the reply to the next marked request and keeps its connection open: no bytes pass in either
    /// direction.
    pub fn keep(&self) {
        self.script.to_keep.fetch_add(1, Ordering::SeqCst);
    }

    /// Replies withheld so far.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.script.kept.load(Ordering::SeqCst)
    }

    /// Closes the connections with withheld replies.
    pub fn release(&self) {
        self.script.released.notify_waiters();
    }

    /// Round trips of clients to this server.
    #[must_use]
    pub fn round_trips(&self) -> usize {
        self.script.round_trips.load(Ordering::SeqCst)
    }

    /// Replies dropped so far.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.script.lost.load(Ordering::SeqCst)
    }
}

impl Script {
    fn hits(&self, request: &[u8], left: &AtomicUsize) -> bool {
        let is_marked = request
            .windows(self.marker.len())
            .any(|window| window == self.marker);
        let take = |left: usize| left.checked_sub(1);
        is_marked
            && left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok()
    }
}

/// Carries one connection. On a hit it forwards the request, waits for the reply, drops it, and closes both sides.
async fn carry(mut client: TcpStream, upstream: &str, script: &Script) -> Result<()> {
    let mut server = TcpStream::connect(upstream).await.context("upstream")?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut up, mut down) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    let mut is_asked = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let request = &up[..read?];
                if request.is_empty() {
                    return Ok(());
                }
                server.write_all(request).await?;
                is_asked = true;
                if script.hits(request, &script.to_keep) {
                    let released = script.released.notified();
                    script.kept.fetch_add(1, Ordering::SeqCst);
                    released.await;
                    return Ok(());
                }
                if script.hits(request, &script.left) {
                    // The reply proves that the server executed the request.
                    let replied = server.read(&mut down).await?;
                    script.lost.fetch_add(usize::from(replied > 0), Ordering::SeqCst);
                    return Ok(());
                }
            }
            read = server.read(&mut down) => {
                let reply = &down[..read?];
                if reply.is_empty() {
                    return Ok(());
                }
                script.round_trips.fetch_add(usize::from(is_asked), Ordering::SeqCst);
                is_asked = false;
                client.write_all(reply).await?;
            }
        }
    }
}
