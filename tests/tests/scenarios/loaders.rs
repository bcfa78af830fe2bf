//! Two loaders at once: one works, the other waits, and whoever comes late writes nothing.

use anyhow::{Result, ensure};
use pulseline_generator::SimulateConfig;
use pulseline_sql::GenericClient;
use pulseline_tests::{Role, Service, World, truth};

fn cohort(seed: u64) -> SimulateConfig {
    SimulateConfig {
        participants: 2,
        days: 1,
        seed,
        ..SimulateConfig::default()
    }
}

#[tokio::test]
async fn d_2_of_two_loaders_one_works_and_the_other_takes_over() -> Result<()> {
    let world = World::start("loaders").await?;
    let others = [
        Service::start(&world, Role::Sink)?,
        Service::start(&world, Role::Compactor)?,
    ];
    let quick = [("PULSELINE__LOADER__LEASE_TTL_MS", "2000")];
    let mut pair = [
        Service::start_with(&world, Role::Loader, &quick)?,
        Service::start_with(&world, Role::Loader, &quick)?,
    ];
    world.simulate(&cohort(1)).await?;
    world.until_accounted().await?;
    let mut owners = Vec::new();
    for loader in &pair {
        owners.push(loader.log()?.contains("this loader holds the lease"));
    }
    ensure!(
        owners.iter().filter(|owns| **owns).count() == 1,
        "owners: {owners:?}"
    );
    ensure!(
        pair[0].is_running()? && pair[1].is_running()?,
        "a standby waits, it does not end"
    );
    // The owner dies without a word: the standby goes on from exactly where it was, under a new epoch.
    let [first, second] = pair;
    let (owner, mut standby) = if owners[0] {
        (first, second)
    } else {
        (second, first)
    };
    owner.kill().await?;
    world.simulate(&cohort(2)).await?;
    world.until_quiet().await?;
    standby.until_ready().await?;
    ensure!(world.count("select min(epoch) from ops.checkpoints").await? == 2);
    let mut oracle = truth::oracle(&cohort(1))?;
    for planned in
        pulseline_generator::plan(&cohort(2), pulseline_schemas::UtcMillis(0)).map_err(anyhow::Error::msg)?
    {
        oracle.observe(&planned);
    }
    let findings = truth::compare(&world, &oracle).await?;
    ensure!(findings.is_clean(), "{findings}");
    // Somebody else takes the lease by force: the loader is fenced, says so, and ends.
    let warehouse = world.warehouse().await?;
    let steal = "update ops.leases set owner = gen_random_uuid(), epoch = epoch + 1 where name = 'loader'";
    ensure!(warehouse.execute(steal, &[]).await? == 1);
    ensure!(standby.ended().await? == Some(3), "{}", standby.log()?);
    ensure!(standby.log()?.contains("fenced"), "{}", standby.log()?);
    drop(others);
    world.stop().await
}
