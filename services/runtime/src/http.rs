//! The HTTP server of the console and `/metrics`: TLS, authentication and graceful shutdown.
//!
//! ```text
//!  HttpConfig ── validate ──▶ Server::bind ──▶ Server::serve ──▶ one task per connection: TLS ▸ HTTP/1.1 ▸ router
//!                                  └─▶ Certificates: reloads the two files every few seconds
//!  Access: bearer token or user and password, as a layer of a router
//! ```

mod access;
mod certificates;
mod config;
mod server;

pub use access::{Access, Fingerprint, credentials, guarded};
pub use config::HttpConfig;
pub use server::{HttpError, Server};
