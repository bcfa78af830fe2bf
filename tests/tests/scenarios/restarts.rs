//! Every server is killed and started again while messages flow: outages are waited out, never dead letters.

use anyhow::{Result, ensure};
use pulseline_generator::{SimulateConfig, plan};
use pulseline_schemas::UtcMillis;
use pulseline_stack::Server;
use pulseline_tests::{Oracle, Role, Service, World, truth};

fn cohort(seed: u64) -> SimulateConfig {
    SimulateConfig {
        participants: 2,
        days: 1,
        seed,
        late: 0.1,
        duplicate: 0.05,
        correct: 0.05,
        broken: 0.0,
        ..pulseline_tests::sparse()
    }
}

#[tokio::test]
async fn d_3_a_restart_of_each_server_during_flow_is_waited_out() -> Result<()> {
    let Some(mut world) = World::start_owning("restarts", &Server::ALL).await? else {
        return Ok(());
    };
    // Small batches: while Kafka is down the sink is full, has paused its partitions, and loses them. When it gets
    // them back they must not be paused.
    let mut services = vec![
        Service::start_with(&world, Role::Sink, &[("PULSELINE__SINK__BATCH_ROWS", "50")])?,
        Service::start(&world, Role::Loader)?,
        Service::start(&world, Role::Compactor)?,
    ];
    let mut oracle = Oracle::default();
    for (seed, server) in (0..).zip(Server::ALL) {
        let config = cohort(seed);
        world.simulate(&config).await?;
        world.stack.restart(server).await?;
        for planned in plan(&config, UtcMillis(0)).map_err(anyhow::Error::msg)? {
            oracle.observe(&planned);
        }
    }
    let status = world.until_quiet().await?;
    ensure!(
        status.dead_letters == 0,
        "an outage became dead letters:\n{status}"
    );
    let findings = truth::compare(&world, &oracle).await?;
    ensure!(findings.is_clean(), "{findings}");
    world.verify_stored().await?;
    for service in &mut services {
        ensure!(
            service.is_running()?,
            "{:?} ended:\n{}",
            service.role(),
            service.log()?
        );
        service.until_ready().await?;
    }
    drop(services);
    world.stop().await
}
