//! Minimum, median and maximum of all rounds, as tables or as JSON.

mod tables;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cost::Cost;
use crate::histogram::Histogram;
use crate::read::Asked;
use crate::round::{Measured, Round};

/// The results of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct BenchReport {
    cases: Vec<Case>,
    freshness: Option<Live>,
}

/// All rounds of one size.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Case {
    /// The requested case.
    name: String,
    /// The actual number of readings.
    readings: u64,
    /// In the order of the flow.
    hops: Vec<Hop>,
    reads: Vec<Read>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Hop {
    name: String,
    readings: u64,
    /// Seconds of each round.
    ours: Vec<f64>,
    floors: BTreeMap<String, Vec<f64>>,
    /// Resources by process.
    costs: BTreeMap<String, Vec<Cost>>,
}

/// Milliseconds of each round.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Read {
    question: String,
    figures: Vec<f64>,
    raw: Vec<f64>,
}

/// From producing to visible.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Live {
    devices: u32,
    raw: Histogram,
    figure: Histogram,
}

impl Hop {
    /// The slower floor of each round: a pipeline cannot be faster.
    fn floor(&self) -> Vec<f64> {
        let rounds = 0..self.ours.len();
        let slowest = |round: usize| {
            let floors = self.floors.values().filter_map(|seconds| seconds.get(round));
            floors.fold(0.0, |slowest: f64, seconds| slowest.max(*seconds))
        };
        rounds.map(slowest).collect()
    }

    fn ratios(&self) -> Vec<f64> {
        quotients(&self.floor(), &self.ours)
    }

    fn add(&mut self, measured: Measured) {
        self.readings = measured.readings;
        self.ours.push(measured.ours.seconds);
        for (floor, seconds) in measured.floors {
            self.floors.entry(floor.to_owned()).or_default().push(seconds);
        }
        for (process, cost) in measured.ours.costs {
            self.costs.entry(process.to_owned()).or_default().push(cost);
        }
    }
}

impl Case {
    fn add(&mut self, round: Round) {
        self.readings = round.readings;
        for measured in round.hops {
            let at = self.hops.iter().position(|hop| hop.name == measured.hop);
            let at = at.unwrap_or_else(|| {
                self.hops.push(Hop {
                    name: measured.hop.to_owned(),
                    ..Hop::default()
                });
                self.hops.len() - 1
            });
            self.hops[at].add(measured);
        }
        for Asked {
            question,
            figures,
            raw,
        } in round.reads
        {
            let at = self.reads.iter().position(|read| read.question == question);
            let at = at.unwrap_or_else(|| {
                self.reads.push(Read {
                    question: question.to_owned(),
                    ..Read::default()
                });
                self.reads.len() - 1
            });
            self.reads[at].figures.push(figures);
            self.reads[at].raw.push(raw);
        }
    }
}

impl BenchReport {
    /// The output of `--json`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a report of --json", path.display()))
    }

    /// Adds a round to those of its case.
    pub(crate) fn add(&mut self, case: &str, round: Round) {
        let at = self.cases.iter().position(|of| of.name == case);
        let at = at.unwrap_or_else(|| {
            self.cases.push(Case {
                name: case.to_owned(),
                ..Case::default()
            });
            self.cases.len() - 1
        });
        self.cases[at].add(round);
    }

    /// Adds the results of live events.
    pub(crate) fn add_live(&mut self, devices: u32, raw: Histogram, figure: Histogram) {
        self.freshness = Some(Live { devices, raw, figure });
    }
}

fn quotients(above: &[f64], below: &[f64]) -> Vec<f64> {
    above
        .iter()
        .zip(below)
        .map(|(above, below)| above / below)
        .collect()
}
