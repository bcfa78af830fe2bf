//! The settings of a rebuild: for the warehouse in use, and for the new one beside it.

use std::time::Duration;

use pulseline_compactor::CompactorConfig;
use pulseline_runtime::config::TimescaleConfig;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_sql::Schemas;

use crate::healer::Healer;

/// How often the progress is checked.
pub(crate) const POLL: Duration = Duration::from_secs(1);

/// The rebuild and its settings.
#[derive(Clone)]
pub struct Rebuilder {
    /// The stores, and the search for lost offsets in Kafka; for the warehouse in use.
    pub healer: Healer,
    /// How days are refreshed and chunks packed.
    pub compactor: CompactorConfig,
    /// Longest final wait for messages in flight.
    pub settle: Duration,
}

impl Rebuilder {
    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.healer.shutdown
    }

    pub(crate) fn timescale(&self) -> &TimescaleConfig {
        &self.healer.audited.timescale
    }

    /// The same, for the new warehouse.
    pub(crate) fn beside(&self) -> Self {
        let mut beside = self.clone();
        Schemas::next()
            .prefix()
            .clone_into(&mut beside.healer.audited.timescale.schema_prefix);
        // No reading is deleted before all are loaded; retention resumes once it is in use.
        beside.compactor.retain_days = 0;
        beside
    }
}
