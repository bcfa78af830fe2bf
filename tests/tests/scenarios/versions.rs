//! A program with another schema version: it waits for the migration of an older schema, and refuses a newer one.

use anyhow::{Result, ensure};
use pulseline_generator::SimulateConfig;
use pulseline_sql::GenericClient;
use pulseline_tests::service::command;
use pulseline_tests::{Service, World};

const NEWEST: &str = "(select max(version) from public.pulseline_migrations)";

#[tokio::test]
async fn services_wait_for_an_older_schema_and_refuse_a_newer_one() -> Result<()> {
    let world = World::start("versions").await?;
    let warehouse = world.warehouse().await?;
    let take_back = format!(
        "create table public.kept as select * from public.pulseline_migrations where version = {NEWEST}; \
         delete from public.pulseline_migrations where version = {NEWEST}"
    );
    warehouse.batch_execute(&take_back).await?;
    let mut services = Service::start_all(&world)?;
    // The sink does not connect to the warehouse.
    for service in &mut services[1..] {
        service.until_logged("run `pulseline migrate`").await?;
    }
    // After an imitated migration they continue by themselves.
    let migrated =
        "insert into public.pulseline_migrations select * from public.kept; drop table public.kept";
    warehouse.batch_execute(migrated).await?;
    let cohort = SimulateConfig {
        participants: 1,
        days: 1,
        ..pulseline_tests::sparse()
    };
    world.simulate(&cohort).await?;
    world.until_quiet().await?;
    drop(services);

    let ahead = format!("insert into public.pulseline_migrations values ({NEWEST} + 1, 'later', 'x')");
    warehouse.batch_execute(&ahead).await?;
    for role in [
        &["load"][..],
        &["compact"],
        &["compact", "--once"],
        &["migrate"],
        &["verify"],
    ] {
        let output = command(&world)?.args(role).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(3) && said.contains("use a newer program"),
            "{role:?}: {:?} {said}",
            output.status
        );
    }
    world.stop().await
}
