//! Decides which reading wins inside a batch, and which rows can be copied directly (D-5, P7). Pure.

use uuid::Uuid;

use crate::document::ReadingsUpload;

/// One reading on its way to its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) device_id: Uuid,
    pub(crate) local_ts: i64,
    pub(crate) utc_offset_minutes: i16,
    pub(crate) confidence: Option<i16>,
    pub(crate) value: i32,
    /// Index of its upload in the batch.
    pub(crate) upload: u32,
    /// The upload's place in the order (synced_at, event_id).
    rank: u32,
    pub(crate) item: u32,
}

impl Row {
    /// A row at this time, for tests.
    #[cfg(test)]
    pub(crate) fn at(device_id: Uuid, local_ts: i64) -> Self {
        Self {
            device_id,
            local_ts,
            utc_offset_minutes: 0,
            confidence: None,
            value: 0,
            upload: 0,
            rank: 0,
            item: 0,
        }
    }

    fn key(&self) -> (Uuid, i64, i16) {
        (self.device_id, self.local_ts, self.utc_offset_minutes)
    }
}

/// The winner of each key, sorted by key: greatest (synced_at, event_id, position in the upload).
///
/// Sorted, because concurrent writers that lock in one order never deadlock; distinct, because a statement must
/// not meet a row twice.
pub(crate) fn winners(uploads: &[ReadingsUpload]) -> Vec<Row> {
    let ranks = ranks(uploads);
    let mut rows = Vec::with_capacity(uploads.iter().map(|upload| upload.readings.len()).sum());
    for (index, upload) in uploads.iter().enumerate() {
        rows.extend(upload.readings.iter().map(|reading| Row {
            device_id: upload.device_id,
            local_ts: reading.local_ts,
            utc_offset_minutes: upload.utc_offset_minutes,
            confidence: reading.confidence,
            value: reading.value,
            upload: index as u32,
            rank: ranks[index],
            item: reading.item,
        }));
    }
    // A stable sort, because it is fast on the sorted runs of uploads.
    rows.sort_by_key(|row| {
        (
            row.device_id,
            row.local_ts,
            row.utc_offset_minutes,
            row.rank,
            row.item,
        )
    });
    rows.dedup_by(|later, kept| {
        let is_same = later.key() == kept.key();
        if is_same {
            *kept = *later;
        }
        is_same
    });
    rows
}

fn ranks(uploads: &[ReadingsUpload]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..uploads.len()).collect();
    order.sort_by_key(|&index| (uploads[index].synced_at, uploads[index].event_id));
    let mut ranks = vec![0; uploads.len()];
    for (rank, index) in (0..).zip(order) {
        ranks[index] = rank;
    }
    ranks
}

/// The last row of each device; `rows` are sorted by device and time.
pub(crate) fn ends(rows: &[Row]) -> Vec<(Uuid, i64)> {
    rows.chunk_by(|row, next| row.device_id == next.device_id)
        .filter_map(|of_device| of_device.last())
        .map(|last| (last.device_id, last.local_ts))
        .collect()
}

/// Splits rows into those that cannot be in the table yet, and the rest.
///
/// `newest` gives a device's newest loaded reading: no later row can meet an existing key.
pub(crate) fn split(mut rows: Vec<Row>, newest: impl Fn(&Uuid) -> Option<i64>) -> (Vec<Row>, Vec<Row>) {
    let mut current: Option<(Uuid, Option<i64>)> = None;
    let met = rows.extract_if(.., |row| {
        let watermark = match current {
            Some((device_id, watermark)) if device_id == row.device_id => watermark,
            _ => {
                let watermark = newest(&row.device_id);
                current = Some((row.device_id, watermark));
                watermark
            }
        };
        watermark.is_some_and(|watermark| row.local_ts <= watermark)
    });
    let met = met.collect();
    (rows, met)
}

#[cfg(test)]
mod tests;
