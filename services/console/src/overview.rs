//! `status.json` and `accounting.json`: a poll in the form that the page draws.

use pulseline_auditor::{Ledger, Status};
use serde::Serialize;

use crate::bars::{Cell, bar};
use crate::headline::{Headline, headline};
use crate::rates::Rates;
use crate::watcher::Poll;

/// The headline and the flow chart.
#[derive(Debug, Serialize)]
pub(crate) struct Overview<'a> {
    /// Time of the poll, in UTC milliseconds.
    at: i64,
    headline: Headline,
    /// The output of `pulseline status --json`.
    status: &'a Status,
    /// Lost offsets: sink and loader are past them and they are not accounted for.
    lost: i64,
    /// Messages per second; none until two polls are far enough apart.
    rates: Option<Rates>,
    /// True when a token is configured.
    can_replay: bool,
    version: &'static str,
}

impl<'a> Overview<'a> {
    pub(crate) fn new(poll: &'a Poll, can_replay: bool) -> Self {
        Self {
            at: poll.at,
            headline: headline(&poll.view),
            status: &poll.view.status,
            lost: poll.view.lost(),
            rates: poll.rates,
            can_replay,
            version: pulseline_runtime::VERSION,
        }
    }
}

/// A partition with its bar.
#[derive(Debug, Serialize)]
pub(crate) struct Partition<'a> {
    topic: &'a str,
    partition: i32,
    #[serde(rename = "generation")]
    incarnation: i32,
    /// The end offset.
    end: i64,
    stored: i64,
    accounted: i64,
    duplicate: i64,
    dead: i64,
    in_flight: i64,
    lost: i64,
    /// Lost ranges in words, such as `[3, 4)`; the first few.
    holes: Vec<String>,
    bar: Vec<Cell>,
}

/// How many holes are named.
const NAMED: usize = 20;

/// Every partition, by topic and number.
pub(crate) fn partitions(poll: &Poll) -> Vec<Partition<'_>> {
    poll.view.ledgers.iter().map(partition).collect()
}

fn partition(ledger: &Ledger) -> Partition<'_> {
    let bar = bar(ledger);
    let sum = |value: fn(&Cell) -> i64| bar.iter().map(value).sum::<i64>();
    let holes = ledger.lost.iter().take(NAMED);
    Partition {
        topic: &ledger.topic,
        partition: ledger.partition,
        incarnation: ledger.incarnation,
        end: ledger.end,
        stored: ledger.stored,
        accounted: sum(|cell| cell.accounted + cell.duplicate + cell.dead),
        duplicate: sum(|cell| cell.duplicate),
        dead: sum(|cell| cell.dead),
        in_flight: sum(|cell| cell.in_flight),
        lost: sum(|cell| cell.lost),
        holes: holes
            .map(|hole| format!("[{}, {})", hole.start, hole.end))
            .collect(),
        bar,
    }
}
