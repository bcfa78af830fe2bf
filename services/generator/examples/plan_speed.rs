//! Measures planning and encoding without Kafka: `cargo run --release -p pulseline-generator --example plan_speed`.

use std::time::Instant;

use pulseline_generator::{Payload, SimulateConfig, plan};
use pulseline_schemas::{UtcMillis, encode};

#[allow(clippy::print_stdout, reason = "its purpose")]
fn main() -> Result<(), String> {
    let started = Instant::now();
    let (mut messages, mut readings, mut bytes) = (0_u64, 0_u64, 0_u64);
    for planned in plan(&SimulateConfig::default(), UtcMillis(0))? {
        messages += 1;
        if let Payload::Event(event) = planned.payload {
            readings += event.readings() as u64;
            bytes += encode(&event).map_err(|error| error.to_string())?.len() as u64;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{messages} messages, {readings} readings, {bytes} bytes in {seconds:.2} s: {:.0} readings/s",
        readings as f64 / seconds
    );
    Ok(())
}
