//! A question whose browser goes away: its statement is cancelled, and none runs beside it. The test's server answers
//! nothing but what the console asks of a new session.
#![allow(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pulseline_console::{ConsoleConfig, ConsoleConnections, run};
use pulseline_runtime::config::{KafkaConfig, MongoConfig, Secret, TimescaleConfig};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry::Health;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

/// The code of a `CancelRequest`, after its length.
const CANCEL: i32 = 80_877_102;
const BOOL: i32 = 16;
const INT4: i32 = 23;
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than the console needs to send a statement that it does not hold back.
const QUIET: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(50);

/// What the server sees.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// A statement that it does not answer.
    Asked,
    Cancelled,
}

struct Warehouse {
    seen: mpsc::Sender<Seen>,
    /// Ends the statement that runs, as a cancel request does.
    end: Notify,
}

impl Warehouse {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let warehouse = Arc::clone(&self);
            tokio::spawn(async move { warehouse.session(stream).await });
        }
    }

    /// One connection; ends when the client closes it.
    async fn session(&self, mut stream: TcpStream) -> Option<()> {
        let length = usize::try_from(stream.read_i32().await.ok()?).ok()?;
        if stream.read_i32().await.ok()? == CANCEL {
            return self.seen.send(Seen::Cancelled).await.ok();
        }
        stream.read_exact(&mut vec![0; length - 8]).await.ok()?;
        let mut greeting = message(b'R', &0_i32.to_be_bytes());
        greeting.extend(message(b'K', &[0; 8]));
        greeting.extend(message(b'Z', b"I"));
        stream.write_all(&greeting).await.ok()?;
        let mut asked = String::new();
        loop {
            let kind = stream.read_u8().await.ok()?;
            let mut body = vec![0; usize::try_from(stream.read_i32().await.ok()?).ok()? - 4];
            stream.read_exact(&mut body).await.ok()?;
            let text = String::from_utf8_lossy(&body).into_owned();
            let answer = match kind {
                b'Q' => [simple(&text), message(b'Z', b"I")].concat(),
                b'P' => {
                    asked = text;
                    Vec::new()
                }
                b'S' => [self.rows(&asked).await, message(b'Z', b"T")].concat(),
                _ => Vec::new(),
            };
            stream.write_all(&answer).await.ok()?;
        }
    }

    /// The answer to a prepared statement: of the console's questions none, until it is cancelled.
    async fn rows(&self, statement: &str) -> Vec<u8> {
        let version = pulseline_sql::required_version().to_be_bytes();
        let (kind, value) = if statement.contains("to_regclass") {
            (BOOL, &[1][..])
        } else if statement.contains("max(version)") {
            (INT4, &version[..])
        } else {
            assert!(statement.contains("stage.users"), "{statement}");
            self.seen.send(Seen::Asked).await.unwrap();
            self.end.notified().await;
            return message(b'E', b"SERROR\0C57014\0Mcancelled\0\0");
        };
        let size = i16::try_from(value.len()).unwrap();
        let mut column = b"\0\x01x\0\0\0\0\0\0\0".to_vec();
        column.extend(kind.to_be_bytes());
        column.extend(size.to_be_bytes());
        column.extend(b"\xff\xff\xff\xff\0\x01");
        let row = [&b"\0\x01\0\0"[..], &size.to_be_bytes(), value].concat();
        [
            message(b'1', b""),
            message(b'2', b""),
            message(b'T', &column),
            message(b'D', &row),
            message(b'C', b"SELECT 1\0"),
        ]
        .concat()
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

/// Begins and ends of transactions. The server limits each statement, in case no cancel request arrives.
fn simple(text: &str) -> Vec<u8> {
    if text == "\0" {
        return message(b'I', b"");
    }
    assert!(
        text == "commit\0" || text.starts_with("begin; set local statement_timeout = 20000;"),
        "{text}"
    );
    message(b'C', b"DONE\0")
}

async fn console(warehouse: SocketAddr, shutdown: &Shutdown) -> String {
    let closed = "127.0.0.1:1";
    let audited = pulseline_auditor::AuditorConnections {
        kafka: KafkaConfig {
            brokers: closed.into(),
            ..KafkaConfig::default()
        },
        mongo: MongoConfig {
            uri: Secret::new(format!("mongodb://{closed}")),
            ..MongoConfig::default()
        },
        timescale: TimescaleConfig {
            url: Secret::new(format!("postgres://me@{warehouse}/none?sslmode=disable")),
            ..TimescaleConfig::default()
        },
        group: "sink".into(),
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = ConsoleConfig {
        listen: free.local_addr().unwrap(),
        ..ConsoleConfig::default()
    };
    drop(free);
    let url = format!("http://{}", config.listen);
    let connections = ConsoleConnections {
        audited,
        compactor: pulseline_compactor::CompactorConfig::default(),
    };
    tokio::spawn(run(config, connections, Health::new(), shutdown.clone()));
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = reqwest::get(&url).await {
        assert!(Instant::now() < deadline, "never served: {error:?}");
        tokio::time::sleep(POLL).await;
    }
    url
}

#[tokio::test]
async fn a_statement_whose_browser_goes_away_is_cancelled_and_none_runs_beside_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, mut seen) = mpsc::channel(16);
    let warehouse = Arc::new(Warehouse {
        seen: sender,
        end: Notify::new(),
    });
    tokio::spawn(Arc::clone(&warehouse).serve(listener));
    // A second call finds the provider there already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let shutdown = Shutdown::new();
    let people = format!("{}/api/people.json", console(address, &shutdown).await);
    let ask = || {
        let people = people.clone();
        tokio::spawn(async move { reqwest::get(people).await })
    };

    let first = ask();
    assert_eq!(timeout(PATIENCE, seen.recv()).await.unwrap(), Some(Seen::Asked));
    let second = ask();
    let beside = timeout(QUIET, seen.recv()).await;
    assert!(beside.is_err(), "a second statement: {beside:?}");
    // The browser goes away: its request ends with the task.
    first.abort();
    assert_eq!(
        timeout(PATIENCE, seen.recv()).await.unwrap(),
        Some(Seen::Cancelled)
    );
    let beside = timeout(QUIET, seen.recv()).await;
    assert!(
        beside.is_err(),
        "a second statement before the first ended: {beside:?}"
    );
    warehouse.end.notify_one();
    assert_eq!(timeout(PATIENCE, seen.recv()).await.unwrap(), Some(Seen::Asked));
    assert!(!second.is_finished(), "the second browser still waits");
    shutdown.stop();
}
