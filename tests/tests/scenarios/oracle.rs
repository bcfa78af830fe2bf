//! The whole flow once: everything that was acknowledged arrives, once, with the right values.

use anyhow::{Result, ensure};
use pulseline_generator::SimulateConfig;
use pulseline_tests::{Service, World, truth};

#[tokio::test]
async fn d_3_d_5_a_1_late_duplicate_corrected_and_broken_uploads_arrive_right() -> Result<()> {
    let world = World::start("oracle").await?;
    let services = Service::start_all(&world)?;
    let config = SimulateConfig {
        participants: 4,
        days: 3,
        late: 0.2,
        duplicate: 0.1,
        correct: 0.1,
        broken: 0.02,
        ..SimulateConfig::default()
    };
    let summary = world.simulate(&config).await?;
    let status = world.until_quiet().await?;
    ensure!(
        status.produced().unsigned_abs() == summary.total().acknowledged,
        "{status}"
    );
    let oracle = truth::oracle(&config)?;
    ensure!(
        !oracle.dead.is_empty() && oracle.duplicates.len() > 1,
        "the cohort tries nothing"
    );
    let findings = truth::compare(&world, &oracle).await?;
    ensure!(findings.is_clean(), "{findings}");
    world.verify_equal().await?;
    // The same cohort once more: every message is a duplicate or dead again, and nothing changes.
    let rows = world.count("select count(*) from raw.heart_rates").await?;
    world.simulate(&config).await?;
    world.until_quiet().await?;
    ensure!(world.count("select count(*) from raw.heart_rates").await? == rows);
    world.verify_equal().await?;
    drop(services);
    world.stop().await
}
