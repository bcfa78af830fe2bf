//! Replays the dead letters of an origin after a fix: the page's only change.

use pulseline_admin::dead_letters::{self, DeadLetter, DeadLettersError, Fate, ReplayConnections, Selection};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::metrics;

/// The outcome for one dead letter.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Replayed {
    item: i32,
    done: bool,
    /// The outcome in words, as `dead-letters replay` prints it.
    said: String,
}

/// Replays dead letters, one origin at a time.
#[derive(Debug)]
pub(crate) struct Replayer {
    connections: ReplayConnections,
    one_at_a_time: Mutex<()>,
}

impl Replayer {
    pub(crate) fn new(connections: ReplayConnections) -> Self {
        Self {
            connections,
            one_at_a_time: Mutex::default(),
        }
    }

    /// Replays the origin's dead letters; the result is empty when none was left.
    pub(crate) async fn replay(&self, origin: String) -> Result<Vec<Replayed>, DeadLettersError> {
        let _alone = self.one_at_a_time.lock().await;
        let selection = Selection {
            origins: vec![origin],
            ..Selection::default()
        };
        let mut replayed = Vec::new();
        let mut tell = |dead_letter: &DeadLetter, fate: &Fate| {
            metrics::record_replay(&dead_letter.origin, dead_letter.item, fate);
            replayed.push(Replayed {
                item: dead_letter.item,
                done: fate.is_done(),
                said: fate.to_string(),
            });
        };
        dead_letters::replay(&self.connections, &selection, &mut tell).await?;
        Ok(replayed)
    }
}
