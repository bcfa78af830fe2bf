//! The contract, seen from outside: golden bytes, round trips, other versions of the schemas, documents.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its input should fail"
)]

mod documents;
mod events;
mod evolution;
mod golden;
mod round_trip;
