//! The basis of scenario tests: real servers, services as processes, faults between them, and an oracle.

pub mod certificates;
mod cohort;
pub mod console;
pub mod doors;
pub mod faults;
pub mod foreign;
pub mod fortress;
pub mod identifiers;
pub mod layers;
pub mod link;
pub mod measures;
pub mod oracle;
pub mod own;
pub mod page;
pub mod picture;
pub mod producer;
pub mod servers;
pub mod service;
mod shared;
mod template;
mod times;
pub mod truth;
pub mod vocabulary;
pub mod world;

pub use cohort::sparse;
pub use console::Console;
pub use measures::Measures;
pub use oracle::Oracle;
pub use service::{Role, Service};
pub use truth::Findings;
pub use world::World;
