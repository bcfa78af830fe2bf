//! The warehouse: migrations, connections, leases, and the arithmetic of its periods.

pub mod aggregates;
mod cancel;
mod check;
mod client;
mod connect;
pub mod documents;
mod error;
pub mod floor;
pub mod forgotten;
pub mod functions;
pub mod lease;
mod migrate;
pub mod periods;
mod prepared;
mod reader;
mod schemas;
mod typed;
pub mod write_guard;

pub use check::check;
pub use client::{Client, GenericClient, Transaction};
pub use connect::connect;
pub use error::{SqlError, class_of, explain};
pub use migrate::{MigrationReport, installed_version, migrate, migrate_to, open, required_version};
pub use prepared::Prepared;
pub use reader::open_reader;
pub use schemas::Schemas;
pub use typed::Typed;

/// The text of a statement in `sql/queries`, by its path there without `.sql`.
#[macro_export]
macro_rules! query {
    ($path:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../sql/queries/",
            $path,
            ".sql"
        ))
    };
}
