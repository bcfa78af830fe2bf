//! Free ports outside the ephemeral range, each handed out once per process.

use std::hash::{BuildHasher, RandomState};
use std::io::{Error, ErrorKind};
use std::net::TcpListener;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use serde::{Deserialize, Serialize};

use crate::layout::Endpoints;

/// The first port that is handed out. Linux lends those from 32768 on, others from 49152 on.
const FIRST: u16 = 20_000;
const PORTS: u16 = 12_000;

/// How many were asked for; processes begin at different places.
#[expect(clippy::cast_possible_truncation, reason = "any place will do")]
static ASKED: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(RandomState::new().hash_one(0) as u16));

/// A port of 127.0.0.1 that was free a moment ago.
///
/// # Errors
/// When none is.
pub fn free_port() -> std::io::Result<u16> {
    for _ in 0..PORTS {
        let port = FIRST + ASKED.fetch_add(1, Ordering::Relaxed) % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new(ErrorKind::AddrNotAvailable, "no free port"))
}

/// Ports of one stack.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) kafka: u16,
    pub(crate) controller: u16,
    pub(crate) registry: u16,
    pub(crate) mongo: u16,
    pub(crate) timescale: u16,
}

impl Ports {
    pub(crate) fn endpoints(&self) -> Endpoints {
        Endpoints {
            kafka_brokers: format!("127.0.0.1:{}", self.kafka),
            registry_url: format!("http://127.0.0.1:{}/apis/ccompat/v7", self.registry),
            mongo_uri: format!("mongodb://127.0.0.1:{}/?replicaSet=secantus", self.mongo),
            timescale_url: format!(
                "postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable",
                self.timescale
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ports_differ_and_a_used_one_is_skipped() {
        let ports: HashSet<u16> = (0..100).map(|_| free_port().unwrap()).collect();
        assert!(ports.len() == 100 && ports.iter().all(|port| (FIRST..FIRST + PORTS).contains(port)));
        let next = FIRST + ASKED.load(Ordering::Relaxed) % PORTS;
        let _taken = TcpListener::bind(("127.0.0.1", next));
        assert_ne!(free_port().unwrap(), next);
    }
}
