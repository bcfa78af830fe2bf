//! Snapshots of collections: read in the order of their windows, followed as soon as they are read, and resumed
//! after a kill.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bson::{Document, doc};
use pulseline_generator::SimulateConfig;
use pulseline_tests::{Role, Service, World};

const PATIENCE: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(50);
const UNREAD: &str =
    "select count(*) from ops.checkpoints where collection = 'heart_rates' and token is null";
/// Loaded documents of heart rates; no compactor runs, so the log is not folded.
const LOADED: &str = "select coalesce(sum(to_offset - from_offset), 0)::bigint from ops.accounted_log \
    where topic = 'fitbit.heart_rates' and kind = 'loaded'";
/// One document per transaction, three per page: windows with the same start are on several pages.
const SLOW: [(&str, &str); 2] = [
    ("PULSELINE__LOADER__BATCH_ROWS", "1"),
    ("PULSELINE__LOADER__PAGE_DOCUMENTS", "3"),
];

/// Waits until the sink has stored everything.
async fn until_stored(world: &World) -> Result<()> {
    let stored = |status: &pulseline_auditor::Status| {
        status.unreachable.is_empty() && status.flows.iter().all(|flow| flow.stored == flow.produced)
    };
    world.until("everything is stored", stored).await.map(drop)
}

async fn heart_rates(world: &World) -> Result<i64> {
    let collection = world.documents().await?.collection::<Document>("heart_rates");
    Ok(i64::try_from(collection.count_documents(doc! {}).await?)?)
}

#[tokio::test]
async fn p_20_a_collection_is_followed_as_soon_as_it_is_read_and_a_killed_snapshot_resumes() -> Result<()> {
    let world = World::start("snapshots").await?;
    let sink = Service::start(&world, Role::Sink)?;
    let cohort = SimulateConfig {
        participants: 3,
        days: 3,
        ..pulseline_tests::sparse()
    };
    world.simulate(&cohort).await?;
    until_stored(&world).await?;
    let before = heart_rates(&world).await?;
    let mut loader = Service::start_with(&world, Role::Loader, &SLOW)?;
    loader.until_logged("while the rest is still being read").await?;
    // New documents arrive in collections that are read, and in others that are not.
    let later = SimulateConfig {
        participants: 1,
        days: 1,
        seed: 2,
        ..pulseline_tests::sparse()
    };
    world.simulate(&later).await?;
    let is_followed = |status: &pulseline_auditor::Status| {
        let sleeps = |flow: &&pulseline_auditor::Flow| flow.topic == "fitbit.sleeps";
        let of_sleeps = status.flows.iter().find(sleeps);
        of_sleeps.is_some_and(|flow| flow.produced > 0 && flow.unaccounted == 0)
    };
    world.until("sleeps are followed", is_followed).await?;
    until_stored(&world).await?;
    let all = heart_rates(&world).await?;
    let later = all - before;
    // More documents than a restarted snapshot could have loaded.
    let began = Instant::now();
    while world.count(LOADED).await? <= later {
        ensure!(began.elapsed() < PATIENCE, "heart rates are not read");
        tokio::time::sleep(POLL).await;
    }
    ensure!(world.count(UNREAD).await? == 1, "heart rates were read too soon");
    loader.kill().await?;

    let loaded = world.count(LOADED).await?;
    ensure!(
        loaded > later && world.count(UNREAD).await? == 1,
        "{loaded} of {all}"
    );
    let mut loader = Service::start(&world, Role::Loader)?;
    loader.until_ready().await?;
    world.until_accounted().await?;
    let measures = loader.measures().await?;
    let read = measures.of("pulseline_loader_documents_total", "collection", "heart_rates")?;
    // Documents that arrived meanwhile are read twice at most, and loaded ones not again.
    let most = u32::try_from(all - loaded + later)?;
    ensure!(
        read <= f64::from(most),
        "{read} documents read, not {most}: {loaded} of {all} were loaded"
    );
    let rows = |path| {
        let labels = [("collection", "heart_rates"), ("path", path)];
        measures.with("pulseline_loader_rows_total", &labels)
    };
    let (direct, merged) = (rows("direct")?, rows("merge")?);
    ensure!(
        direct > 2.0 * merged,
        "{direct} rows went straight in, {merged} were merged"
    );
    let compactor = Service::start(&world, Role::Compactor)?;
    world.until_quiet().await?;
    world.verify_stored().await?;
    drop((sink, compactor));
    world.stop().await
}
