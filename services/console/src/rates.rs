//! Messages per second at each hop, from successive totals. Pure: the caller passes the time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pulseline_auditor::Status;
use serde::Serialize;

/// Window of the mean: shorter ones jump, longer ones lag.
const WINDOW: Duration = Duration::from_secs(12);
/// Least distance between two polls for a meaningful rate.
const LEAST: Duration = Duration::from_secs(1);

/// Messages that passed each hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    produced: i64,
    stored: i64,
    accounted: i64,
}

/// Messages per second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Rates {
    /// Into Kafka.
    pub(crate) produced: f64,
    /// Into MongoDB.
    pub(crate) stored: f64,
    /// Accounted for: in raw, duplicate, dead or void.
    pub(crate) accounted: f64,
}

/// Recent totals.
#[derive(Debug, Default)]
pub(crate) struct Seen(VecDeque<(Instant, Totals)>);

impl Seen {
    /// Adds a poll. An incomplete poll clears the history.
    pub(crate) fn note(&mut self, status: &Status, now: Instant) {
        if !status.unreachable.is_empty() {
            self.0.clear();
            return;
        }
        let sum = |value: fn(&pulseline_auditor::Flow) -> i64| status.flows.iter().map(value).sum::<i64>();
        let totals = Totals {
            produced: status.produced(),
            stored: sum(|flow| flow.stored),
            accounted: status.produced() - status.unaccounted(),
        };
        while self.0.front().is_some_and(|(at, _)| now > *at + WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back((now, totals));
    }

    /// None until two polls are far enough apart.
    pub(crate) fn rates(&self) -> Option<Rates> {
        let ((first, from), (last, to)) = (self.0.front()?, self.0.back()?);
        let apart = last.duration_since(*first);
        if apart < LEAST {
            return None;
        }
        let rate = |from: i64, to: i64| {
            // A recreated topic restarts at 0: the rate must not become negative.
            let messages =
                u32::try_from(to - from).map_or(if to > from { u32::MAX } else { 0 }, |count| count);
            f64::from(messages) / apart.as_secs_f64()
        };
        Some(Rates {
            produced: rate(from.produced, to.produced),
            stored: rate(from.stored, to.stored),
            accounted: rate(from.accounted, to.accounted),
        })
    }
}

#[cfg(test)]
mod tests {
    use pulseline_auditor::Flow;

    use super::*;

    fn status(produced: i64, unaccounted: i64) -> Status {
        let flow = Flow {
            produced,
            stored: produced,
            unaccounted,
            ..Flow::default()
        };
        Status {
            flows: vec![flow],
            ..Status::default()
        }
    }

    #[test]
    fn a_rate_is_a_mean_over_what_was_seen_lately() {
        let (mut seen, began) = (Seen::default(), Instant::now());
        let second = |second| began + Duration::from_secs(second);
        seen.note(&status(100, 10), second(0));
        assert_eq!(seen.rates(), None);
        seen.note(&status(120, 20), second(2));
        let rates = seen.rates().unwrap();
        assert_eq!((rates.produced, rates.stored, rates.accounted), (10.0, 10.0, 5.0));
        // Old totals no longer count.
        seen.note(&status(120, 0), second(14));
        assert_eq!(seen.rates().map(|rates| rates.produced), Some(0.0));
        // A deleted topic.
        seen.note(&status(5, 0), second(15));
        assert_eq!(seen.rates().map(|rates| rates.produced), Some(0.0));
        let away = Status {
            unreachable: vec!["Kafka: gone".into()],
            ..Status::default()
        };
        seen.note(&away, second(16));
        assert_eq!(seen.rates(), None);
    }
}
