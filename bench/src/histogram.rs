//! Durations: keeps all of them, so that percentiles are exact.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Upper limits of the bars, in milliseconds.
const BARS: [f64; 12] = [
    25.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 750.0, 1_000.0, 2_000.0,
];
/// Characters of the longest bar.
const WIDTH: usize = 40;

/// Milliseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Histogram {
    millis: Vec<f64>,
}

impl Histogram {
    pub(crate) fn add(&mut self, took: Duration) {
        self.millis.push((took.as_secs_f64() * 10_000.0).round() / 10.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.millis.len()
    }

    /// The smallest duration that at least `share` of them do not exceed.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let mut sorted = self.millis.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    /// One line per bar, from the first to the last non-empty one.
    pub(crate) fn bars(&self) -> String {
        let mut counts = [0_usize; BARS.len() + 1];
        for millis in &self.millis {
            counts[BARS.iter().take_while(|bar| millis > *bar).count()] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or(1).max(1);
        let first = counts.iter().position(|count| *count > 0).unwrap_or_default();
        let last = counts.iter().rposition(|count| *count > 0).unwrap_or_default();
        let mut text = String::new();
        for (index, count) in counts.iter().enumerate().take(last + 1).skip(first) {
            let to = BARS
                .get(index)
                .map_or_else(|| "more".to_owned(), |to| format!("{to}"));
            let bar = "#".repeat(count * WIDTH / most);
            let _written = writeln!(text, "  {to:>5} ms {count:>6} {bar}");
        }
        text
    }
}
