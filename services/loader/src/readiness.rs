//! The loader is ready while every collection is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pulseline_runtime::telemetry::Health;

use crate::map::Source;

/// Which collections are open.
#[derive(Clone, Debug)]
pub(crate) struct Readiness {
    open: Arc<AtomicUsize>,
    health: Health,
}

impl Readiness {
    pub(crate) fn new(health: Health) -> Self {
        Self {
            open: Arc::new(AtomicUsize::new(0)),
            health,
        }
    }

    pub(crate) fn set(&self, source: Source, is_open: bool) {
        let bit = Source::all()
            .position(|other| other == source)
            .map_or(0, |place| 1_usize << place);
        let all = (1 << Source::all().count()) - 1;
        let before = if is_open {
            self.open.fetch_or(bit, Ordering::AcqRel) | bit
        } else {
            self.open.fetch_and(!bit, Ordering::AcqRel) & !bit
        };
        self.health.set_ready(before == all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_that_every_collection_is_open() {
        let health = Health::new();
        let readiness = Readiness::new(health.clone());
        for source in Source::all() {
            assert!(!health.is_ready());
            readiness.set(source, true);
        }
        assert!(health.is_ready());
        readiness.set(Source::Receipts, false);
        assert!(!health.is_ready());
    }
}
