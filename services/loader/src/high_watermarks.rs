//! The high watermark of each device, its newest loaded reading: later readings can be copied directly.
//!
//! A watermark is valid only with its transaction: it moves after the commit, and is dropped with the
//! connection. When other sessions write the same devices it may be too old; a unique violation shows that.

use std::collections::HashMap;

use uuid::Uuid;

use crate::resolve::Row;

/// Newest loaded `local_ts` by device, for the most recent devices.
#[derive(Debug)]
pub(crate) struct HighWatermarks {
    devices: HashMap<Uuid, Known>,
    most_devices: usize,
    /// Rises with every batch.
    batch: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// None: the device has no reading yet.
    newest: Option<i64>,
    /// The last batch with readings of the device.
    batch: u64,
}

impl HighWatermarks {
    pub(crate) fn new(most_devices: usize) -> Self {
        Self {
            devices: HashMap::new(),
            most_devices,
            batch: 0,
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.devices.clear();
    }

    /// Devices of `rows` (sorted by device) whose newest reading has to be looked up. Evicts devices when it is full.
    pub(crate) fn unseen(&mut self, rows: &[Row]) -> Vec<Uuid> {
        self.make_room();
        self.batch += 1;
        let mut unseen = Vec::new();
        let mut last = None;
        for row in rows {
            if last != Some(row.device_id) {
                last = Some(row.device_id);
                match self.devices.get_mut(&row.device_id) {
                    Some(known) => known.batch = self.batch,
                    None => unseen.push(row.device_id),
                }
            }
        }
        unseen
    }

    /// Above the bound the half seen longest ago is evicted: devices that send all the time stay known.
    fn make_room(&mut self) {
        if self.devices.len() <= self.most_devices {
            return;
        }
        let kept = self.most_devices.div_ceil(2);
        let mut batches: Vec<u64> = self.devices.values().map(|known| known.batch).collect();
        let first_kept = batches.len() - kept;
        let (_, &mut boundary, newer) = batches.select_nth_unstable(first_kept);
        // Devices of the batch at the boundary fill the remaining room; any choice among them is as good.
        let mut room = kept - newer.iter().filter(|batch| **batch > boundary).count();
        self.devices.retain(|_, known| {
            let is_kept = known.batch > boundary || (known.batch == boundary && room > 0);
            room -= usize::from(is_kept && known.batch == boundary);
            is_kept
        });
    }

    /// Stores the result of a lookup.
    pub(crate) fn learn(&mut self, device_id: Uuid, newest: Option<i64>) {
        let batch = self.batch;
        self.devices.insert(device_id, Known { newest, batch });
    }

    /// Stores the newest loaded reading of a device that was looked up.
    pub(crate) fn newest(&self, device_id: &Uuid) -> Option<i64> {
        self.devices.get(device_id).and_then(|known| known.newest)
    }

    /// Moves watermarks after a commit. Devices that were not looked up stay unknown: these rows may not be their newest.
    pub(crate) fn advance(&mut self, committed: &[Row]) {
        for row in committed {
            if let Some(known) = self.devices.get_mut(&row.device_id) {
                known.newest = known.newest.max(Some(row.local_ts));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::Row;

    #[test]
    fn a_high_watermark_moves_forward_only_and_only_where_it_is_known() {
        let (known, unknown) = (Uuid::from_bytes([1; 16]), Uuid::from_bytes([2; 16]));
        let mut high_watermarks = HighWatermarks::new(10);
        high_watermarks.learn(known, Some(100));
        high_watermarks.advance(&[Row::at(known, 120), Row::at(known, 110), Row::at(unknown, 130)]);
        assert_eq!(high_watermarks.newest(&known), Some(120));
        assert_eq!(
            high_watermarks.unseen(&[Row::at(known, 1), Row::at(unknown, 1)]),
            [unknown]
        );
    }

    #[test]
    fn above_their_bound_high_watermarks_forget_the_devices_that_came_longest_ago() {
        let mut high_watermarks = HighWatermarks::new(20);
        let mut unseen = |numbers: &[u128]| {
            let rows: Vec<Row> = numbers
                .iter()
                .map(|id| Row::at(Uuid::from_u128(*id), 1))
                .collect();
            let unseen = high_watermarks.unseen(&rows);
            for id in &unseen {
                high_watermarks.learn(*id, Some(1));
            }
            unseen.len()
        };
        assert_eq!(unseen(&[0, 1, 2]), 3);
        for batch in 1..100 {
            // Three devices of every batch stay known.
            assert_eq!(unseen(&[0, 1, 2, batch * 10, batch * 10 + 1]), 2, "{batch}");
        }
        assert_eq!(unseen(&[10, 990]), 1);
        // Of one batch larger than the bound, as many stay as fit.
        let many: Vec<u128> = (10_000..10_040).collect();
        assert_eq!((unseen(&many), unseen(&many)), (40, 30));
    }
}
