//! What a process used: the kernel's own counts.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Clock ticks a second, as Linux shows them to programs on every machine of today.
const TICKS: f64 = 100.0;

/// Processor time and memory of a process so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Seconds of processor time.
    pub(crate) cpu_seconds: f64,
    /// Most memory that it had at any time, in megabytes.
    pub(crate) peak_mb: f64,
}

/// Reads it from `/proc`.
pub(crate) fn of(pid: u32) -> Result<Cost> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in brackets, which may hold anything.
    let fields = stat.rsplit_once(')').context("an odd /proc/PID/stat")?.1;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("an odd /proc/PID/stat")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    Ok(Cost {
        cpu_seconds: (user + system) / TICKS,
        peak_mb: peak.context("no VmHWM")? / 1_024.0,
    })
}
