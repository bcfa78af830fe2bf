//! Reports what each store holds and whether they agree: `status` and `verify`. Reads every store; all that it ever writes is marks of
//! wrong figures, where that is asked for.

mod connections;
mod documents;
mod error;
mod hole;
mod kafka;
mod layers;
mod offsets;
mod reconciliation;
mod sample;
mod scope;
mod stale;
mod status;
mod stuck;
mod verify;
mod warehouse;
mod watch;

pub use connections::AuditorConnections;
pub use error::AuditError;
pub use hole::Hole;
pub use kafka::topics;
pub use layers::checked_relations;
pub use reconciliation::holes;
pub use sample::{Sample, sample};
pub use scope::{Days, Scope};
pub use stale::{Stale, mark_stale};
pub use status::{Flow, Status, status};
pub use stuck::Stuck;
pub use verify::{Verdict, VerifyConfig, verify};
pub use watch::{Ledger, View, Watch};
