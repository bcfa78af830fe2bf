//! The whole flow once: every acknowledged message is loaded once, with the right values.

use anyhow::{Result, ensure};
use pulseline_generator::SimulateConfig;
use pulseline_sql::GenericClient;
use pulseline_tests::{Service, World, picture, truth};

#[tokio::test]
async fn d_3_d_5_a_1_late_duplicate_corrected_and_broken_uploads_are_loaded_correctly() -> Result<()> {
    let world = World::start("oracle").await?;
    let services = Service::start_all(&world)?;
    picture::show_groups_of_one(&world).await?;
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
        "the cohort has no faults"
    );
    let findings = truth::compare(&world, &oracle).await?;
    ensure!(findings.is_clean(), "{findings}");
    world.verify_equal().await?;
    every_relation_has_rows_and_a_check(&world).await?;
    // The same cohort again: every message is a duplicate or dead, and nothing changes.
    let rows = world.count("select count(*) from raw.heart_rates").await?;
    let is_jit_off = "select (current_setting('jit') = 'off')::int::bigint";
    ensure!(
        world.count(is_jit_off).await? == 1,
        "a reader's queries are compiled"
    );
    world.simulate(&config).await?;
    world.until_quiet().await?;
    ensure!(world.count("select count(*) from raw.heart_rates").await? == rows);
    world.verify_equal().await?;
    drop(services);
    world.stop().await
}

/// A relation without a recomputation may be wrong undetected, and a comparison does not test an empty one.
async fn every_relation_has_rows_and_a_check(world: &World) -> Result<()> {
    let client = world.warehouse().await?;
    let relations = "select format('%I.%I', n.nspname, c.relname) from pg_class c \
        join pg_namespace n on n.oid = c.relnamespace \
        where n.nspname in ('stage', 'agg') and c.relkind in ('r', 'v') order by 1";
    let checked = pulseline_auditor::checked_relations();
    for row in client.query(relations, &[]).await? {
        let relation: &str = row.get(0);
        ensure!(checked.contains(relation), "no check recomputes {relation}");
        let rows = world
            .count(&format!(
                "select count(*) from (select 1 from {relation} limit 1) r"
            ))
            .await?;
        ensure!(rows > 0, "{relation} is empty");
    }
    Ok(())
}
