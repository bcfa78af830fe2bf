//! Reads a folder or zip twice, and prints the survey, the counts of the events, MB/s and the peak of memory:
//! `cargo run --release -p pulseline-archive --example read_speed -- DIR [ZONE]`.
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "an example that measures"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Instant, SystemTime};

use pulseline_archive::{Archive, Item, Options};
use pulseline_schemas::{Event, UtcMillis};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().ok_or("read_speed DIR [ZONE]")?;
    let zone = arguments.next().unwrap_or_else(|| "Europe/Oslo".into());
    let now = SystemTime::UNIX_EPOCH.elapsed()?.as_millis();
    let archive = Archive::open(Options::new(root, zone, UtcMillis(i64::try_from(now)?)))?;
    let megabytes = archive.bytes() as f64 / 1e6;

    let start = Instant::now();
    let survey = archive.survey(&mut |_| {})?;
    let surveyed = start.elapsed().as_secs_f64();
    print!("{survey}");

    let start = Instant::now();
    let mut streams: BTreeMap<&str, (u64, u64, i64)> = BTreeMap::new();
    let mut refused = 0_u64;
    for item in archive.events(&survey) {
        match item? {
            Item::Event(event) => {
                let (events, readings, sum) = streams.entry(event.stream().name()).or_default();
                *events += 1;
                *readings += event.readings() as u64;
                *sum += sum_of(&event);
            }
            Item::Refused(_) => refused += 1,
        }
    }
    let read = start.elapsed().as_secs_f64();
    println!();
    for (stream, (events, readings, sum)) in streams {
        println!("{stream:<20} {events:>8} events {readings:>10} readings, sum {sum}");
    }
    println!("{refused} refused");
    println!(
        "survey: {megabytes:.1} MB in {surveyed:.2} s, {:.0} MB/s",
        megabytes / surveyed
    );
    println!(
        "events: {megabytes:.1} MB in {read:.2} s, {:.0} MB/s",
        megabytes / read
    );
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("{}", peak.unwrap_or("no peak of memory here"));
    Ok(())
}

/// Sum of the readings' values, to compare with another count; 0 for streams without an obvious value.
fn sum_of(event: &Event) -> i64 {
    let sum = |values: &mut dyn Iterator<Item = i32>| values.map(i64::from).sum();
    match event {
        Event::HeartRates(event) => sum(&mut event.samples.iter().map(|rate| rate.bpm)),
        Event::Steps(event) => sum(&mut event.samples.iter().map(|step| step.steps)),
        Event::Distances(event) => sum(&mut event.samples.iter().map(|distance| distance.distance_mm)),
        Event::Calories(event) => sum(&mut event.samples.iter().map(|calorie| calorie.millikcal)),
        Event::ActivityMinutes(event) => sum(&mut event.samples.iter().map(|minutes| minutes.minutes)),
        _ => 0,
    }
}
