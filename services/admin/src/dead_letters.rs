//! Commands for dead letters: show them, replay them after a fix, or discard them with a reason (P9).
//!
//! ```text
//!  kafka:topic/generation/partition/offset ──▶ its bytes are sent to its topic again: a message of its own
//!  mongo:collection/_id ─────────────────────▶ its document is loaded again: its offset is no longer dead
//!  file:hash/byte ───────────────────────────▶ the files are replayed again, by the program that has the fix
//! ```

pub mod avro;
mod error;
mod find;
mod replay;
mod resolve;
mod show;

pub use error::DeadLettersError;
pub use find::{DeadLetter, DeadLetterKind, Selection, WithPayload, find, kinds, list, open};
pub use replay::{Fate, ReplayConnections, replay};
pub use resolve::discard;
pub use show::show;
