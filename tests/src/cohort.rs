//! The cohort that scenarios send.

use pulseline_generator::SimulateConfig;

/// The default cohort with a heart rate every 30 seconds in place of five: a third of its readings, and as many uploads
/// and days. What needs many readings takes [`SimulateConfig::default`].
#[must_use]
pub fn sparse() -> SimulateConfig {
    SimulateConfig {
        heart_rate_secs: 30,
        ..SimulateConfig::default()
    }
}
