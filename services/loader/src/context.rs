//! What loading under one lease needs.

use pulseline_clients::mongo::Database;
use pulseline_runtime::config::TimescaleConfig;
use pulseline_runtime::health::Health;
use pulseline_runtime::shutdown::Shutdown;

use crate::config::LoaderConfig;
use crate::write::Expected;

/// What loading needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) config: LoaderConfig,
    pub(crate) timescale: TimescaleConfig,
    pub(crate) database: Database,
    pub(crate) epoch: i64,
    /// The loader's own dead letters that return through their collection.
    pub(crate) expected: Expected,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}
