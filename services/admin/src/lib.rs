//! What an operator does beside the running services: dead letters, repairs, rebuilds and erasures.
//!
//! ```text
//!  dead_letters ──▶ loader                                 replays and discards dead letters
//!  healer       ──▶ auditor, loader, sink                  repairs lost offsets
//!  rebuilder    ──▶ healer, auditor, loader, compactor     builds a warehouse beside the one in use, and swaps the two
//!  eraser       ──▶ tombstones                             removes a person from every store
//! ```

pub mod dead_letters;
pub mod eraser;
pub mod healer;
pub mod rebuilder;
