//! Embedded servers for machines without Docker: Kafka, a schema registry, SecantusDB for MongoDB, TimescaleDB on PGlite.
//!
//! They come from package registries, pinned by the lock files in `artifacts/` or by version, run on 127.0.0.1 on ports of their
//! own as child processes, and die with their parent. For development, tests and demos; production is native servers.

mod error;
mod extras;
mod layout;
mod ports;
mod process;
mod provision;
mod servers;
mod stack;
mod supervise;
mod tools;

pub use error::StackError;
pub use extras::{Extras, Listener};
pub use layout::Endpoints;
pub use ports::free_port;
pub use servers::Server;
pub use stack::{Stack, StackOptions};
pub use supervise::{StackStatus, detach, down, endpoints, status, supervise};

/// Told of each step that takes time.
pub trait Progress: Send + Sync {
    /// A step begins, ends or says how it goes; one line.
    fn step(&self, line: &str);
}

impl<F: Fn(&str) + Send + Sync> Progress for F {
    fn step(&self, line: &str) {
        self(line);
    }
}
