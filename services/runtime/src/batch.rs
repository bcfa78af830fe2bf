//! A batch that fills until it is large or old enough.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Limits of a batch: it is written when it reaches one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most rows (documents, readings) in a batch.
    pub batch_rows: usize,
    /// Most bytes in a batch, as received.
    pub batch_bytes: usize,
    /// Longest wait of a batch's first item, in milliseconds.
    pub batch_wait_ms: u64,
}

impl Limits {
    /// Checks that each limit is at least 1.
    ///
    /// # Errors
    /// The name of the field that is 0, after `path`.
    pub fn validate(&self, path: &str) -> Result<(), String> {
        if self.batch_rows == 0 {
            return Err(format!("{path}.batch_rows must be at least 1"));
        }
        if self.batch_bytes == 0 {
            return Err(format!("{path}.batch_bytes must be at least 1"));
        }
        Ok(())
    }
}

/// Items that are written together.
#[derive(Debug)]
pub struct Batch<T> {
    limits: Limits,
    items: Vec<T>,
    rows: usize,
    bytes: usize,
    opened: Option<Instant>,
}

impl<T> Batch<T> {
    /// An empty batch.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            items: Vec::new(),
            rows: 0,
            bytes: 0,
            opened: None,
        }
    }

    /// Adds an item that counts as `rows` rows and `bytes` bytes.
    pub fn push(&mut self, item: T, rows: usize, bytes: usize) {
        self.opened.get_or_insert_with(Instant::now);
        self.items.push(item);
        self.rows += rows;
        self.bytes += bytes;
    }

    /// True when no item is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Rows counted so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes counted so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True when rows or bytes have reached their limit.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rows >= self.limits.batch_rows || self.bytes >= self.limits.batch_bytes
    }

    /// Deadline of the oldest item; none while the batch is empty.
    #[must_use]
    pub fn due_at(&self) -> Option<Instant> {
        self.opened
            .map(|at| at + Duration::from_millis(self.limits.batch_wait_ms))
    }

    /// True when the batch should be written now.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.is_full() || self.due_at().is_some_and(|at| Instant::now() >= at)
    }

    /// Takes the items out and leaves an empty batch.
    pub fn take(&mut self) -> Vec<T> {
        self.rows = 0;
        self.bytes = 0;
        self.opened = None;
        std::mem::take(&mut self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        batch_rows: 3,
        batch_bytes: 100,
        batch_wait_ms: 3_600_000,
    };

    #[test]
    fn rows_bytes_or_age_make_it_due() {
        let mut batch = Batch::new(LIMITS);
        assert!(!batch.is_due());
        batch.push('a', 3, 1);
        assert!(batch.is_due());
        assert_eq!(batch.take(), ['a']);
        batch.push('b', 1, 100);
        assert!(batch.is_full());
        batch.take();
        batch.push('c', 1, 1);
        assert!(!batch.is_due());
        let mut without_wait = Batch::new(Limits {
            batch_wait_ms: 0,
            ..LIMITS
        });
        without_wait.push('d', 1, 1);
        assert!(without_wait.is_due() && !without_wait.is_full());
    }

    #[test]
    fn a_limit_of_zero_is_refused_by_name() {
        let none = Limits {
            batch_bytes: 0,
            ..LIMITS
        };
        assert_eq!(
            none.validate("sink"),
            Err("sink.batch_bytes must be at least 1".into())
        );
    }
}
