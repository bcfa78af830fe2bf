//! Scenarios on real servers, named after the invariant that they try to break.

mod backfill;
mod console;
mod corrections;
mod damage;
mod erasure;
mod healing;
mod kills;
mod letters;
mod loaders;
mod lookers;
mod offsets;
mod oracle;
mod picture;
mod poison;
mod positions;
mod rebuild;
mod replay;
mod replies;
mod restarts;
mod retention;
mod roles;
mod schemas;
mod stack;
mod stops;
mod telemetry;
mod versions;
