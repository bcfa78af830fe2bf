//! The HTTP server that the console and `/metrics` share: TLS, who may ask, and an end that finishes what was asked.
//!
//! ```text
//!  HttpConfig ── validate ──▶ Server::bind ──▶ Server::serve ──▶ one task per connection: TLS ▸ HTTP/1.1 ▸ router
//!                                  └─▶ Certificates: the two files are read again every few seconds
//!  Access: bearer token or user and password; a router puts it before what it guards
//! ```

mod access;
mod certificates;
mod config;
mod server;

pub use access::{Access, Fingerprint, credentials, guarded};
pub use config::HttpConfig;
pub use server::{HttpError, Server};
