//! Least, median and greatest of all rounds, as a table or as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cost::Cost;
use crate::round::{Measured, Round};

/// What all rounds measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    readings: u64,
    /// In the order of the flow.
    hops: Vec<Hop>,
    /// Of the end-to-end part, by service.
    costs: BTreeMap<String, Vec<Cost>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Hop {
    name: String,
    /// Seconds of each round.
    ours: Vec<f64>,
    floors: BTreeMap<String, Vec<f64>>,
}

impl Hop {
    /// The floor that took longest in each round: nobody can be faster than the slower of two.
    fn floor(&self) -> Vec<f64> {
        let rounds = 0..self.ours.len();
        let slowest = |round: usize| {
            let floors = self.floors.values().filter_map(|seconds| seconds.get(round));
            floors.fold(0.0, |slowest: f64, seconds| slowest.max(*seconds))
        };
        rounds.map(slowest).collect()
    }

    fn ratios(&self) -> Vec<f64> {
        self.floor()
            .iter()
            .zip(&self.ours)
            .map(|(floor, ours)| floor / ours)
            .collect()
    }
}

impl Report {
    /// What `--json` printed.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| format!("{} is no report of --json", path.display()))
    }

    pub(crate) fn add(&mut self, round: Round) {
        self.readings = round.readings;
        for Measured {
            hop: name,
            ours,
            floors,
        } in round.hops
        {
            let at = self.hops.iter().position(|hop| hop.name == name);
            let at = at.unwrap_or_else(|| {
                self.hops.push(Hop {
                    name: name.to_owned(),
                    ..Hop::default()
                });
                self.hops.len() - 1
            });
            let hop = &mut self.hops[at];
            hop.ours.push(ours);
            for (floor, seconds) in floors {
                hop.floors.entry(floor.to_owned()).or_default().push(seconds);
            }
        }
        for (service, cost) in round.costs {
            self.costs.entry(service.to_owned()).or_default().push(cost);
        }
    }

    /// For people; beside it the ratios of an earlier report.
    pub(crate) fn table(&self, before: Option<&Self>) -> String {
        let mut text = format!(
            "{} readings a round; least / median / greatest of the rounds\n\n",
            self.readings
        );
        text += "| hop | thousand readings/s | floor | floor, thousand readings/s | ratio | ratio before |\n|---|---|---|---|---|---|\n";
        let rate = |seconds: &[f64]| {
            let rates: Vec<f64> = seconds
                .iter()
                .map(|s| self.readings as f64 / s / 1_000.0)
                .collect();
            spread(&rates, 0)
        };
        for hop in &self.hops {
            let floors: Vec<&str> = hop.floors.keys().map(String::as_str).collect();
            let earlier = before.and_then(|before| before.hops.iter().find(|of| of.name == hop.name));
            let earlier = earlier.map_or_else(|| "-".to_owned(), |hop| spread(&hop.ratios(), 2));
            let _written = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {earlier} |",
                hop.name,
                rate(&hop.ours),
                floors.join(", "),
                rate(&hop.floor()),
                spread(&hop.ratios(), 2)
            );
        }
        text += "\n| service, end to end | processor seconds a million readings | peak memory, MB |\n|---|---|---|\n";
        for (service, costs) in &self.costs {
            let of = |read: fn(&Cost) -> f64| costs.iter().map(read).collect::<Vec<f64>>();
            let million = self.readings as f64 / 1e6;
            let seconds: Vec<f64> = of(|cost| cost.cpu_seconds).iter().map(|s| s / million).collect();
            let _written = writeln!(
                text,
                "| {service} | {} | {} |",
                spread(&seconds, 2),
                spread(&of(|cost| cost.peak_mb), 0)
            );
        }
        text
    }
}

fn spread(values: &[f64], digits: usize) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    let last = sorted.len().saturating_sub(1);
    format!(
        "{:.digits$} / {:.digits$} / {:.digits$}",
        at(0),
        at(last / 2),
        at(last)
    )
}
