//! Metrics of the process, common to all services.
#![allow(
    clippy::disallowed_macros,
    reason = "the one place of this crate that names metrics"
)]

use std::time::Duration;

use metrics::{Unit, describe_gauge, gauge};

use crate::waits::{Hop, Waiting};

/// The name that Prometheus' own clients use.
const RESIDENT: &str = "process_resident_memory_bytes";
const PEAK: &str = "process_peak_resident_memory_bytes";
const WAITING: &str = "pulseline_waiting_seconds";
const SILENT: &str = "pulseline_loop_silent_seconds";
const STALLED: &str = "pulseline_loop_stalled";

pub(crate) fn describe() {
    describe_gauge!(RESIDENT, Unit::Bytes, "Resident memory of this process.");
    describe_gauge!(PEAK, Unit::Bytes, "Peak resident memory of this process.");
    describe_gauge!(
        WAITING,
        Unit::Seconds,
        "How long this process has waited for a server, by hop; 0 while it does not wait"
    );
    describe_gauge!(
        SILENT,
        Unit::Seconds,
        "Time since a loop of this process moved, by loop"
    );
    describe_gauge!(
        STALLED,
        Unit::Count,
        "1 while a loop of this process is silent for longer than its longest step, by loop"
    );
    record_waiting(&[]);
}

/// Records the longest wait of each hop.
pub(crate) fn record_waiting(waiting: &[Waiting]) {
    for hop in Hop::ALL {
        let of_hop = waiting.iter().filter(|waiting| waiting.hop == hop);
        let longest = of_hop.map(|waiting| waiting.lasts).max().unwrap_or_default();
        gauge!(WAITING, "hop" => hop.name()).set(longest.as_secs_f64());
    }
}

/// Records how long a loop has been silent, and whether it has stalled.
pub(crate) fn record_silence(name: &'static str, lasts: Duration, is_stalled: bool) {
    gauge!(SILENT, "loop" => name).set(lasts.as_secs_f64());
    gauge!(STALLED, "loop" => name).set(f64::from(u8::from(is_stalled)));
}

/// Records this process's memory on Linux. The crate `metrics-process` does not report the peak.
pub(crate) fn record_memory() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return;
    };
    for (name, field) in [(RESIDENT, "VmRSS:"), (PEAK, "VmHWM:")] {
        if let Some(bytes) = bytes_of(&status, field) {
            gauge!(name).set(bytes as f64);
        }
    }
}

/// A field of `/proc/self/status`, in units of 1024 bytes.
fn bytes_of(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_system_tells_it() {
        let status = "VmPeak:\t  900 kB\nVmHWM:\t    12 kB\nVmRSS:\t    10 kB\n";
        assert_eq!(bytes_of(status, "VmRSS:"), Some(10_240));
        assert_eq!(bytes_of(status, "VmHWM:"), Some(12_288));
        assert_eq!(bytes_of("VmRSS: 3 pages", "VmRSS:"), None);
    }
}
