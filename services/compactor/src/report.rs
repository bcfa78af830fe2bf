//! The result of a cycle.

/// What a cycle did and left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CycleReport {
    /// Dirty days processed.
    pub days: usize,
    /// Windows refreshed.
    pub refreshes: usize,
    /// Days of devices patched, of all streams.
    pub patched: usize,
    /// Sleeps with a changed heart rate.
    pub sleeps: u64,
    /// Days of people computed.
    pub user_days: usize,
    /// Patched days refreshed for everybody.
    pub settled: usize,
    /// Chunks packed.
    pub packed: usize,
    /// Chunks of readings deleted.
    pub deleted: usize,
    /// Rows of the accounting log folded.
    pub folded: i64,
    /// Days that wait until they have ended.
    pub waiting: usize,
    /// True when more work is left than one cycle takes.
    pub more: bool,
}
