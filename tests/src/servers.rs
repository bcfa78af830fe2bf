//! Servers of one test beside the embedded four: Debian's packages, unpacked and not installed, as processes that die with it.

mod child;
pub mod nginx;
pub mod pgbouncer;
pub mod postgres;
pub mod tokens;

pub use nginx::Nginx;
pub use pgbouncer::PgBouncer;
pub use postgres::{Postgres, Postgreses};
pub use pulseline_stack::free_port;
pub use tokens::TokenEndpoint;
