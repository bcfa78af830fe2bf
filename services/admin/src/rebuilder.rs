//! Rebuilds a warehouse from MongoDB beside the one in use, then swaps the two.
//!
//! ```text
//!  next_raw, next_stage, next_agg, next_ops: migrated ─▶ loader and compactor fill them, while the services go on in the
//!    warehouse in use; rows whose documents were removed are carried over ─▶ caught up ─▶ holes repaired from Kafka
//!    ─▶ verified in full ─▶ ONE transaction: what only the old one knows is carried over, the old one becomes old_…, the
//!    next one takes its names ─▶ the services go on in it
//! ```
//!
//! After a stop or a crash at any point, the same command continues from what was built: the loader and the compactor of
//! the new warehouse keep their positions in it.

mod build;
mod carry;
mod connection;
mod discard;
mod error;
mod fill;
mod run;
mod settings;
mod standing;
mod swap;

pub use error::RebuilderError;
pub use run::{RebuildReport, Step};
pub use settings::Rebuilder;
pub use standing::Standing;
