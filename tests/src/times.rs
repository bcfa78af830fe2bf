//! Where a scenario spends its time, for the table that `scripts/test` prints at its end.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Seconds that one world spent, printed when it ends.
#[derive(Debug)]
pub(crate) struct Times {
    name: String,
    began: Instant,
    /// Servers that start, and the migration.
    start: Duration,
    /// Milliseconds that the scenario waited for accounting or quiet.
    quiet_ms: AtomicU64,
    /// Milliseconds of `verify`.
    verify_ms: AtomicU64,
}

impl Times {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            began: Instant::now(),
            start: Duration::ZERO,
            quiet_ms: AtomicU64::new(0),
            verify_ms: AtomicU64::new(0),
        }
    }

    /// The servers answer and the schema is installed.
    pub(crate) fn started(&mut self) {
        self.start = self.began.elapsed();
    }

    pub(crate) fn waited(&self, since: Instant) {
        add(&self.quiet_ms, since);
    }

    pub(crate) fn verified(&self, since: Instant) {
        add(&self.verify_ms, since);
    }

    fn line(&self) -> String {
        let whole = self.began.elapsed().as_secs_f64();
        let start = self.start.as_secs_f64();
        let [quiet, verify] = [&self.quiet_ms, &self.verify_ms]
            .map(|millis| Duration::from_millis(millis.load(Ordering::Relaxed)).as_secs_f64());
        let flow = whole - start - quiet - verify;
        let name = self.name.trim_start_matches("test-");
        format!("times: {name} {start:.1} {flow:.1} {quiet:.1} {verify:.1} {whole:.1}")
    }
}

/// Prints to the real standard output, so that the summary can list it. The benchmark also has worlds, but prints
/// no times.
impl Drop for Times {
    fn drop(&mut self) {
        if std::env::var_os("PULSELINE_TEST_TIMES").is_some() {
            let line = format!("\n{}\n", self.line());
            let _ = std::io::stdout().lock().write_all(line.as_bytes());
        }
    }
}

fn add(to: &AtomicU64, since: Instant) {
    let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    to.fetch_add(millis, Ordering::Relaxed);
}
