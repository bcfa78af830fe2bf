//! Further servers of one test: Debian's packages, unpacked without installation, as processes that end with the
//! test.

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
