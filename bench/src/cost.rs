//! Resource use during a measurement: the kernel's counters of this process and its descendants.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Clock ticks per second that Linux shows to programs.
const TICKS: f64 = 100.0;
/// Part of a command line → name of the process in reports; the first match counts.
const NAMES: [(&str, &str); 8] = [
    ("kafka.Kafka", "Kafka"),
    ("apicurio", "registry"),
    ("secantus", "MongoDB"),
    ("main.mjs", "TimescaleDB"),
    ("pulseline\0sink", "sink"),
    ("pulseline\0load", "loader"),
    ("pulseline\0compact", "compactor"),
    ("pulseline-bench", "bench"),
];

/// Processor time and memory of a process.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Seconds of processor time since the start of the watch.
    pub(crate) cpu_seconds: f64,
    /// Peak memory of the process so far, in megabytes.
    pub(crate) peak_mb: f64,
}

/// Processes by name, and seconds since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    pub(crate) costs: BTreeMap<&'static str, Cost>,
}

/// Starts to watch processes.
pub(crate) struct Watch {
    began: Instant,
    before: BTreeMap<u32, Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    name: &'static str,
    cost: Cost,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self {
            before: family(),
            began: Instant::now(),
        }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Resources used so far. A process that has ended is not included.
    pub(crate) fn spent(&self) -> Spent {
        let mut spent = Spent {
            seconds: self.seconds(),
            costs: BTreeMap::new(),
        };
        for (pid, Seen { name, cost }) in family() {
            let before = self.before.get(&pid).map_or(0.0, |seen| seen.cost.cpu_seconds);
            let of = spent.costs.entry(name).or_default();
            of.cpu_seconds += cost.cpu_seconds - before;
            of.peak_mb = of.peak_mb.max(cost.peak_mb);
        }
        spent
    }
}

/// This process and its descendants.
fn family() -> BTreeMap<u32, Seen> {
    let mut parents = BTreeMap::new();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        // A process that ends meanwhile is left out.
        if let Some((parent, cpu_seconds)) = stat(pid) {
            parents.insert(pid, (parent, cpu_seconds));
        }
    }
    let own = std::process::id();
    let is_below = |pid: &u32| {
        let line = std::iter::successors(Some(*pid), |pid| parents.get(pid).map(|of| of.0));
        line.take(parents.len()).any(|pid| pid == own)
    };
    let below = parents.iter().filter(|(pid, _)| is_below(pid));
    let seen = below.filter_map(|(pid, (_, cpu_seconds))| {
        let cost = Cost {
            cpu_seconds: *cpu_seconds,
            peak_mb: peak_mb(*pid)?,
        };
        Some((
            *pid,
            Seen {
                name: name(*pid)?,
                cost,
            },
        ))
    });
    seen.collect()
}

/// Parent process and seconds of processor time.
fn stat(pid: u32) -> Option<(u32, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may contain any character.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((fields.get(1)?.parse().ok()?, (ticks(11)? + ticks(12)?) / TICKS))
}

fn peak_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kb: f64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kb / 1_024.0)
}

fn name(pid: u32) -> Option<&'static str> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line);
    let known = NAMES.iter().find(|(part, _)| line.contains(part));
    known.map(|(_, name)| *name)
}
