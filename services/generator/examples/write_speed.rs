//! Measures writing a cohort as files: `cargo run --release -p pulseline-generator --example write_speed -- DIR
//! [DAYS]`.

use std::path::Path;
use std::time::Instant;

use pulseline_generator::{SimulateConfig, write_pmdata};
use pulseline_schemas::UtcMillis;

#[allow(clippy::print_stdout, reason = "its purpose")]
fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("which folder?")?;
    let mut config = SimulateConfig::default();
    if let Some(days) = arguments.next() {
        config.days = days
            .parse()
            .map_err(|error: std::num::ParseIntError| error.to_string())?;
    }
    let started = Instant::now();
    let written = write_pmdata(&config, UtcMillis(0), Path::new(&dir), &mut |_, _| {})
        .map_err(|error| error.to_string())?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} folders, {} records, {} bytes in {seconds:.2} s: {:.0} records/s",
        written.folders.len(),
        written.records(),
        written.bytes(),
        written.records() as f64 / seconds
    );
    Ok(())
}
