//! Embedded servers for machines without Docker: Kafka, a schema registry, SecantusDB as MongoDB, TimescaleDB on PGlite.
//!
//! They come from package registries, pinned by the lock files in `artifacts/` or by version. They run as child processes on
//! free ports of 127.0.0.1 and end with their parent. For development, tests and demos only; production uses native servers.

mod class_archive;
mod error;
mod extras;
mod fetching;
mod layout;
mod mongo;
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
pub use mongo::MongoProgram;
pub use ports::free_port;
pub use servers::Server;
pub use stack::{Stack, StackOptions};
pub use supervise::{StackStatus, detach, down, endpoints, status, supervise};

/// Receives progress of slow steps.
pub trait Progress: Send + Sync {
    /// One line of progress.
    fn step(&self, line: &str);
}

impl<F: Fn(&str) + Send + Sync> Progress for F {
    fn step(&self, line: &str) {
        self(line);
    }
}
