//! Reports as Markdown tables.

use std::fmt::Write as _;

use super::{BenchReport, Case, Hop, Live, Read, quotients};

/// Processes below this are left out, in seconds per million readings.
const LITTLE: f64 = 0.02;

impl BenchReport {
    /// With the ratios of an earlier report beside it.
    pub(crate) fn tables(&self, before: Option<&Self>) -> String {
        let mut text = String::new();
        for case in &self.cases {
            let earlier = before.and_then(|before| before.cases.iter().find(|of| of.name == case.name));
            text += &case.tables(earlier);
        }
        if self.cases.len() > 1 {
            text += &self.by_size();
        }
        if let Some(live) = &self.freshness {
            text += &live.tables();
        }
        text
    }

    /// The cost of a reading at each hop, for each case.
    fn by_size(&self) -> String {
        let mut text = "microseconds a reading, median\n\n| size |".to_owned();
        let mut hops: Vec<&str> = Vec::new();
        for hop in self.cases.iter().flat_map(|case| &case.hops) {
            if !hops.contains(&hop.name.as_str()) {
                hops.push(&hop.name);
            }
        }
        for hop in &hops {
            let _written = write!(text, " {hop} |");
        }
        text += &format!("\n|---|{}\n", "---|".repeat(hops.len()));
        for case in &self.cases {
            let _written = write!(text, "| {} |", case.name);
            for hop in &hops {
                let of = case.hops.iter().find(|of| of.name == *hop);
                let micros = |of: &Hop| median(&of.ours) / of.readings as f64 * 1e6;
                let cell = of.map_or_else(|| "-".to_owned(), |of| format!("{:.1}", micros(of)));
                let _written = write!(text, " {cell} |");
            }
            text.push('\n');
        }
        text.push('\n');
        text
    }
}

impl Case {
    fn tables(&self, before: Option<&Self>) -> String {
        let mut text = format!(
            "{}: {} in fact; least / median / greatest of the rounds\n\n",
            self.name, self.readings
        );
        text += "| hop | thousand readings/s | floor | floor, thousand readings/s | ratio | ratio before |\n|---|---|---|---|---|---|\n";
        for hop in &self.hops {
            let earlier = before.and_then(|before| before.hops.iter().find(|of| of.name == hop.name));
            text += &hop.row(earlier);
        }
        if !self.reads.is_empty() {
            text += "\n| read | ms from figures | ms from raw | speed-up |\n|---|---|---|---|\n";
            self.reads.iter().for_each(|read| text += &read.row());
        }
        text += "\n| hop | process | processor seconds a million readings | peak memory, MB |\n|---|---|---|---|\n";
        self.hops.iter().for_each(|hop| text += &hop.cost_rows());
        text.push('\n');
        text
    }
}

impl Hop {
    fn row(&self, before: Option<&Self>) -> String {
        let rate = |seconds: &[f64]| {
            let rates = seconds.iter().map(|s| self.readings as f64 / s / 1_000.0);
            spread(&rates.collect::<Vec<_>>(), 0)
        };
        let floors: Vec<&str> = self.floors.keys().map(String::as_str).collect();
        format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            self.name,
            rate(&self.ours),
            floors.join(", "),
            rate(&self.floor()),
            spread(&self.ratios(), 2),
            before.map_or_else(|| "-".to_owned(), |hop| spread(&hop.ratios(), 2))
        )
    }

    fn cost_rows(&self) -> String {
        let mut text = String::new();
        for (process, costs) in &self.costs {
            let million = self.readings as f64 / 1e6;
            let seconds: Vec<f64> = costs.iter().map(|cost| cost.cpu_seconds / million).collect();
            if seconds.iter().all(|seconds| *seconds < LITTLE) {
                continue;
            }
            let memory: Vec<f64> = costs.iter().map(|cost| cost.peak_mb).collect();
            let _written = writeln!(
                text,
                "| {} | {process} | {} | {} |",
                self.name,
                spread(&seconds, 2),
                spread(&memory, 0)
            );
        }
        text
    }
}

impl Read {
    fn row(&self) -> String {
        format!(
            "| {} | {} | {} | {} |\n",
            self.question,
            spread(&self.figures, 1),
            spread(&self.raw, 1),
            spread(&quotients(&self.raw, &self.figures), 1)
        )
    }
}

impl Live {
    fn tables(&self) -> String {
        let mut text = format!(
            "live, one reading an event, {} devices: milliseconds from produce to visible\n\n",
            self.devices
        );
        text += "| where | readings | p50 | p90 | p99 | most |\n|---|---|---|---|---|---|\n";
        let all = [("raw", &self.raw), ("daily figure", &self.figure)];
        for (name, of) in all {
            let [half, most, nearly, last] = [0.5, 0.9, 0.99, 1.0].map(|share| of.percentile(share));
            let _written = writeln!(
                text,
                "| {name} | {} | {half:.0} | {most:.0} | {nearly:.0} | {last:.0} |",
                of.len()
            );
        }
        for (name, of) in all {
            let _written = write!(text, "\n{name}, up to\n{}", of.bars());
        }
        text
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len().saturating_sub(1) / 2;
    sorted.get(middle).copied().unwrap_or(f64::NAN)
}

fn spread(values: &[f64], digits: usize) -> String {
    let sorted = sorted(values);
    let [least, greatest] = [sorted.first(), sorted.last()].map(|value| value.copied().unwrap_or(f64::NAN));
    format!(
        "{least:.digits$} / {:.digits$} / {greatest:.digits$}",
        median(values)
    )
}
