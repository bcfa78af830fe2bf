//! Servers of one test beside the embedded four: Debian's packages, unpacked and not installed, as processes that die with it.

mod child;
pub mod nginx;
pub mod pgbouncer;
pub mod postgres;
pub mod tokens;

use std::net::TcpListener;

use anyhow::Result;

pub use nginx::Nginx;
pub use pgbouncer::PgBouncer;
pub use postgres::{Postgres, Postgreses};
pub use tokens::TokenEndpoint;

/// A port that was free a moment ago.
///
/// # Errors
/// When none is.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
