//! The newest loaded reading of each device: what lies after it can be copied straight in.
//!
//! An entry is only as good as the transaction it came from: it moves after the commit, and is forgotten with the
//! connection. When others write the same devices it may be too old, which a unique violation shows.

use std::collections::HashMap;

use uuid::Uuid;

use crate::resolve::Row;

/// Newest loaded `local_ts` by device; `None` = the device has no reading yet.
#[derive(Debug)]
pub(crate) struct Frontier {
    newest: HashMap<Uuid, Option<i64>>,
    most_devices: usize,
}

impl Frontier {
    pub(crate) fn new(most_devices: usize) -> Self {
        Self {
            newest: HashMap::new(),
            most_devices,
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.newest.clear();
    }

    /// Devices of `rows` (sorted by device) whose newest reading has to be looked up. Makes room when it is full.
    pub(crate) fn unseen(&mut self, rows: &[Row]) -> Vec<Uuid> {
        if self.newest.len() > self.most_devices {
            self.newest.clear();
        }
        let mut unseen = Vec::new();
        let mut last = None;
        for row in rows {
            if last != Some(row.device_id) {
                last = Some(row.device_id);
                if !self.newest.contains_key(&row.device_id) {
                    unseen.push(row.device_id);
                }
            }
        }
        unseen
    }

    /// What a look-up found.
    pub(crate) fn learn(&mut self, device_id: Uuid, newest: Option<i64>) {
        self.newest.insert(device_id, newest);
    }

    /// The newest loaded reading of a device that was looked up.
    pub(crate) fn newest(&self, device_id: &Uuid) -> Option<i64> {
        self.newest.get(device_id).copied().flatten()
    }

    /// Moves on after a commit. What was not looked up stays unknown: these rows need not be its newest.
    pub(crate) fn advance(&mut self, committed: &[Row]) {
        for row in committed {
            if let Some(newest) = self.newest.get_mut(&row.device_id) {
                *newest = (*newest).max(Some(row.local_ts));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::Row;

    #[test]
    fn a_frontier_moves_forward_only_and_only_where_it_is_known() {
        let (known, unknown) = (Uuid::from_bytes([1; 16]), Uuid::from_bytes([2; 16]));
        let mut frontier = Frontier::new(10);
        frontier.learn(known, Some(100));
        frontier.advance(&[Row::at(known, 120), Row::at(known, 110), Row::at(unknown, 130)]);
        assert_eq!(frontier.newest(&known), Some(120));
        assert_eq!(
            frontier.unseen(&[Row::at(known, 1), Row::at(unknown, 1)]),
            [unknown]
        );
    }
}
