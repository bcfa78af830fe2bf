//! Pulseline's services under load, one at a time or all together, measured by their own metrics.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pulseline_generator::{SimulateConfig, ensure_topics};
use pulseline_tests::service::command;
use pulseline_tests::{Role, Service, World};

use crate::cohort::Ready;
use crate::cost::{Spent, Watch};
use crate::floor;

/// Interval between two reads of a counter.
const POLL: Duration = Duration::from_millis(50);
/// Longest time without a change of the counter.
const PATIENCE: Duration = Duration::from_secs(120);
/// An event that is already stored is a duplicate.
const STORED: &[&str] = &["pulseline_sink_stored_total", "pulseline_sink_duplicates_total"];
/// Receipts, some of which are of duplicates.
const LOADED: &[&str] = &["pulseline_loader_documents_total"];

/// The generator: plans, encodes, sends and waits for acknowledgements, in this process.
pub(crate) async fn generate(world: &World, config: &SimulateConfig) -> Result<Spent> {
    ensure_topics(&world.kafka(), config.partitions).await?;
    let watch = Watch::start();
    world.simulate(config).await?;
    Ok(watch.spent())
}

/// All that a loader writes, but the marks of what is to be refreshed.
const LOSE: &str = "truncate raw.heart_rates, raw.steps, raw.distances, raw.calories, raw.activity_minutes, raw.heart_rate_zones, \
    raw.resting_heart_rates, raw.sleeps, raw.sleep_levels, raw.sleep_scores, raw.exercises, raw.users, raw.devices, \
    raw.device_versions, raw.device_owners, ops.checkpoints, ops.accounted_log, ops.accounted, ops.accounted_pages";

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
pub(crate) async fn store(world: &World, events: u64) -> Result<Spent> {
    let sink = Service::start(world, Role::Sink)?;
    let spent = watch(&sink, STORED, events).await?;
    sink.terminate().await?;
    Ok(spent)
}

/// The loader, from its first loaded document to its last.
pub(crate) async fn load(world: &World, events: u64) -> Result<Spent> {
    let loader = Service::start(world, Role::Loader)?;
    let spent = watch(&loader, LOADED, events).await?;
    loader.terminate().await?;
    Ok(spent)
}

/// The loader again, with a warehouse that lost everything: it reads each collection, and follows it then. Figures stay until they
/// are refreshed.
pub(crate) async fn snapshot(world: &World, events: u64) -> Result<Spent> {
    world.warehouse().await?.into_bare().batch_execute(LOSE).await?;
    load(world, events).await
}

/// The compactor, from its start until nothing is dirty.
pub(crate) async fn refresh(world: &World) -> Result<Spent> {
    let watch = Watch::start();
    let mut child = command(world)?
        .args(["compact", "--once"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // The counts disappear when the process ends, so the last ones are kept.
    let mut spent = watch.spent();
    loop {
        tokio::select! {
            ended = child.wait() => {
                let status = ended?;
                ensure!(status.success(), "compact --once: {status}");
                spent.seconds = watch.seconds();
                return Ok(spent);
            }
            () = tokio::time::sleep(POLL) => spent = watch.spent(),
        }
    }
}

/// The data that all services process.
pub(crate) enum Load<'a> {
    /// The generator plans and sends it.
    Simulated(&'a SimulateConfig),
    /// A minimal producer sends prepared messages.
    Ready(&'a [Ready]),
}

/// All services at once: from the first produced message to the last one committed in raw; then everything is
/// refreshed and verified.
pub(crate) async fn whole(world: &World, load: Load<'_>, partitions: i32, events: u64) -> Result<Spent> {
    // A sink is ready once it has partitions.
    ensure_topics(&world.kafka(), partitions).await?;
    let mut services = Service::start_all(world)?;
    for service in &mut services {
        service.until_ready().await?;
    }
    let watch = Watch::start();
    let sending = async {
        match load {
            Load::Simulated(config) => world.simulate(config).await.map(drop),
            Load::Ready(messages) => floor::kafka::deliver(world, messages).await.map(drop),
        }
    };
    let (sent, loaded) = tokio::join!(sending, until(&services[1], LOADED, events));
    sent?;
    loaded?;
    let spent = watch.spent();
    world.until_quiet().await?;
    world.verify_equal().await?;
    let dead = world.count("select count(*) from ops.dead_letters").await?;
    ensure!(
        dead == 0,
        "{dead} dead letters were measured as if they were loaded"
    );
    for service in services {
        service.terminate().await?;
    }
    Ok(spent)
}

/// Times a counter from the first poll that sees it rise; the work before that poll is added in proportion.
async fn watch(service: &Service, counters: &[&str], wanted: u64) -> Result<Spent> {
    let watch = Watch::start();
    let deadline = Instant::now() + PATIENCE;
    let (began, first) = loop {
        let seen = sum(service, counters).await.unwrap_or_default();
        if seen > 0 {
            break (Instant::now(), seen);
        }
        ensure!(Instant::now() < deadline, "{counters:?} never rose");
        tokio::time::sleep(POLL).await;
    };
    ensure!(
        first < wanted,
        "all {wanted} were counted at the first poll: use more readings"
    );
    let ended = until(service, counters, wanted).await?;
    let share = wanted as f64 / (wanted - first) as f64;
    let mut spent = watch.spent();
    spent.seconds = ended.duration_since(began).as_secs_f64() * share;
    Ok(spent)
}

async fn until(service: &Service, counters: &[&str], wanted: u64) -> Result<Instant> {
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let seen = sum(service, counters).await?;
        if seen >= wanted {
            return Ok(Instant::now());
        }
        if seen > last {
            (last, moved) = (seen, Instant::now());
        }
        ensure!(
            moved.elapsed() < PATIENCE,
            "{counters:?} stay at {seen} of {wanted}"
        );
        tokio::time::sleep(POLL).await;
    }
}

/// Sums of counters over their labels.
async fn sum(service: &Service, counters: &[&str]) -> Result<u64> {
    let measures = service.measures().await?;
    let sums = counters.iter().map(|counter| measures.sum(counter));
    Ok(sums.sum::<Result<f64>>()? as u64)
}
