//! A rolling restart as an orchestrator does it: the next instance starts and becomes ready, then an old one stops.

use anyhow::{Result, ensure};
use pulseline_generator::{SimulateConfig, ensure_topics, plan};
use pulseline_schemas::UtcMillis;
use pulseline_tests::{Oracle, Role, Service, World, truth};

fn cohort(seed: u64) -> SimulateConfig {
    SimulateConfig {
        participants: 1,
        days: 1,
        seed,
        ..pulseline_tests::sparse()
    }
}

/// Number of instances on standby; all must be ready and alive.
async fn standing_by(services: &[Service]) -> Result<usize> {
    let mut count = 0;
    for service in services {
        ensure!(service.get("/livez").await? == (200, "alive\n".to_owned()));
        let (status, body) = service.get("/readyz").await?;
        ensure!(status == 200, "{:?}: {body}", service.role());
        count += usize::from(body == "ready: standing by\n");
    }
    Ok(count)
}

#[tokio::test]
async fn a_rolling_restart_of_two_instances_each_never_waits_and_loses_nothing() -> Result<()> {
    let world = World::start("rolling").await?;
    ensure_topics(&world.kafka(), 4).await?;
    let mut services = Vec::new();
    for role in Role::ALL {
        for _ in 0..2 {
            let mut service = Service::start(&world, role)?;
            service.until_works_or_stands_by().await?;
            services.push(service);
        }
    }
    // One loader and one compactor are on standby; sinks share the work.
    ensure!(standing_by(&services).await? == 2);
    let mut oracle = Oracle::default();
    for (seed, role) in (1..).zip(Role::ALL) {
        world.simulate(&cohort(seed)).await?;
        for planned in plan(&cohort(seed), UtcMillis(0)).map_err(anyhow::Error::msg)? {
            oracle.observe(&planned);
        }
        // Both stop, the active one first.
        for _ in 0..2 {
            let mut next = Service::start(&world, role)?;
            next.until_works_or_stands_by().await?;
            let old = services.iter().position(|service| service.role() == role);
            let old = services.remove(old.unwrap_or_default());
            ensure!(old.terminate().await? == Some(0), "{role:?} ends with an error");
            services.push(next);
        }
    }
    // For a moment no instance may have the lease, and the next one is ready when it has opened what it follows.
    for service in &mut services {
        service.until_works_or_stands_by().await?;
    }
    world.until_quiet().await?;
    ensure!(standing_by(&services).await? == 2);
    let findings = truth::compare(&world, &oracle).await?;
    ensure!(findings.is_clean(), "{findings}");
    world.verify_stored().await?;
    drop(services);
    world.stop().await
}
