//! Scenarios that take many minutes: `scripts/test long` runs them.

mod doors;
mod links;
