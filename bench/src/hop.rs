//! Our services at work, one at a time or all together, watched through their own metrics.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pulseline_generator::{SimulateConfig, ensure_topics};
use pulseline_tests::{Role, Service, World};

use crate::cost::{self, Cost};

/// How often a counter is looked at.
const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(600);
const STORED: &str = "pulseline_sink_stored_total";
const LOADED: &str = "pulseline_loader_documents_total";

/// The generator: planned, encoded, sent and acknowledged. It runs in this process, so that its cost is not told.
pub(crate) async fn generate(world: &World, config: &SimulateConfig) -> Result<Duration> {
    let began = Instant::now();
    world.simulate(config).await?;
    Ok(began.elapsed())
}

/// Lets a loader take its positions in empty collections, so that it follows change streams later.
pub(crate) async fn take_positions(world: &World) -> Result<()> {
    let mut loader = Service::start(world, Role::Loader)?;
    loader.until_ready().await?;
    world
        .until_count(
            "select count(*) from ops.checkpoints where token is null or caught_up_at is null",
            0,
        )
        .await?;
    loader.terminate().await?;
    Ok(())
}

/// The sink, from its first stored event to its last.
pub(crate) async fn store(world: &World, events: u64) -> Result<Duration> {
    let sink = Service::start(world, Role::Sink)?;
    let took = watch(&sink, STORED, events).await?;
    sink.terminate().await?;
    Ok(took)
}

/// The loader, from its first loaded document to its last.
pub(crate) async fn load(world: &World, events: u64) -> Result<Duration> {
    let loader = Service::start(world, Role::Loader)?;
    let took = watch(&loader, LOADED, events).await?;
    loader.terminate().await?;
    Ok(took)
}

/// All services at once: from the first message produced to the last one committed in raw; the cost of each.
pub(crate) async fn whole(
    world: &World,
    config: &SimulateConfig,
    events: u64,
) -> Result<(Duration, Vec<(&'static str, Cost)>)> {
    // A sink is ready once it has partitions.
    ensure_topics(&world.kafka(), config.partitions).await?;
    let mut services = Service::start_all(world)?;
    for service in &mut services {
        service.until_ready().await?;
    }
    let began = Instant::now();
    let (sent, loaded) = tokio::join!(world.simulate(config), until(&services[1], LOADED, events));
    sent?;
    let took = loaded?.duration_since(began);
    world.until_quiet().await?;
    world.verify_equal().await?;
    let mut costs = Vec::new();
    for (name, service) in ["sink", "loader", "compactor"].into_iter().zip(services) {
        costs.push((name, cost::of(service.pid().context("a service has ended")?)?));
        service.terminate().await?;
    }
    Ok((took, costs))
}

/// Times a counter from the first look at which it had risen; what came before that look is added in proportion.
async fn watch(service: &Service, counter: &str, wanted: u64) -> Result<Duration> {
    let deadline = Instant::now() + PATIENCE;
    let (began, first) = loop {
        let seen = sum(service, counter).await.unwrap_or_default();
        if seen > 0 {
            break (Instant::now(), seen);
        }
        ensure!(Instant::now() < deadline, "{counter} never rose");
        tokio::time::sleep(LOOK).await;
    };
    ensure!(
        first < wanted,
        "all {wanted} were there at the first look: ask for more readings"
    );
    let ended = until(service, counter, wanted).await?;
    let share = wanted as f64 / (wanted - first) as f64;
    Ok(ended.duration_since(began).mul_f64(share))
}

async fn until(service: &Service, counter: &str, wanted: u64) -> Result<Instant> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = sum(service, counter).await?;
        if seen >= wanted {
            return Ok(Instant::now());
        }
        ensure!(Instant::now() < deadline, "{counter} stays at {seen} of {wanted}");
        tokio::time::sleep(LOOK).await;
    }
}

/// A counter over its labels.
async fn sum(service: &Service, counter: &str) -> Result<u64> {
    let (_, text) = service.get("/metrics").await?;
    let lines = text.lines().filter(|line| {
        line.strip_prefix(counter)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    Ok(lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum())
}
