//! Floors: the same bytes through the same servers, by minimal clients.

pub(crate) mod kafka;
pub(crate) mod merge;
pub(crate) mod mongo;
pub(crate) mod refresh;
pub(crate) mod rows;
pub(crate) mod timescale;
