//! A graceful stop: accepted messages are finished, and positions are exactly at their end.

use std::time::Duration;

use anyhow::{Result, ensure};
use bson::doc;
use pulseline_generator::{SimulateConfig, ensure_topics};
use pulseline_schemas::Stream;
use pulseline_stack::Server;
use pulseline_tests::{Role, Service, World, truth};

#[tokio::test]
async fn d_1_d_2_a_graceful_stop_leaves_positions_exactly_at_the_end_of_the_work() -> Result<()> {
    let world = World::start("stops").await?;
    let config = SimulateConfig {
        participants: 6,
        days: 3,
        // Dead letters of single readings would be the loader's documents.
        broken: 0.0,
        ..pulseline_tests::sparse()
    };
    ensure_topics(&world.kafka(), 4).await?;
    let (mut sink, mut loader) = (
        Service::start(&world, Role::Sink)?,
        Service::start(&world, Role::Loader)?,
    );
    sink.until_ready().await?;
    loader.until_ready().await?;
    world.simulate(&config).await?;
    // The stop comes in the middle of the flow.
    let stopped = world
        .until("some are stored", |status| {
            status.flows.iter().any(|flow| flow.stored > 0)
        })
        .await?;
    ensure!(sink.terminate().await? == Some(0), "the sink's exit code");
    let status = world.status().await;
    println!("stopped at\n{stopped}\nleft\n{status}");
    // D-1: committed messages are stored and stored messages are committed, with no difference after the stop.
    let documents = world.documents().await?;
    let mut stored = 0;
    for name in Stream::ALL
        .map(Stream::collection)
        .into_iter()
        .chain(["receipts", "dead_letters"])
    {
        stored += documents
            .collection::<bson::Document>(name)
            .count_documents(doc! {})
            .await?;
    }
    let committed: i64 = status.flows.iter().map(|flow| flow.stored).sum();
    ensure!(
        stored == committed.unsigned_abs(),
        "{stored} documents, {committed} committed"
    );
    // D-2: the loader stops once it has seen the last of them, and has accounted for exactly the stored messages.
    world
        .until("all that is stored is loaded", |status| {
            accounted(status) == committed
        })
        .await?;
    ensure!(loader.terminate().await? == Some(0), "the loader's exit code");
    let accounted = world.count("select count(*) from ops.accounted_log").await?;
    ensure!(accounted > 0, "the loader wrote nothing to ops.accounted_log");
    // The next instances resume from there: nothing is read twice.
    let (sink, loader) = (
        Service::start(&world, Role::Sink)?,
        Service::start(&world, Role::Loader)?,
    );
    let compactor = Service::start(&world, Role::Compactor)?;
    world.until_quiet().await?;
    let again = sink.measures().await?.sum("pulseline_sink_own_retries_total")?;
    ensure!(again == 0.0, "the sink read {again} stored messages again");
    let findings = truth::compare(&world, &truth::oracle(&config)?).await?;
    ensure!(findings.is_clean(), "{findings}");
    let verdict = world.compare_stored(Duration::from_secs(60)).await?;
    ensure!(verdict.is_equal(), "{verdict}");
    drop((loader, compactor));
    world.stop().await
}

fn accounted(status: &pulseline_auditor::Status) -> i64 {
    status
        .flows
        .iter()
        .map(|flow| flow.produced - flow.unaccounted)
        .sum()
}

#[tokio::test]
async fn d_1_a_second_signal_abandons_messages_that_wait_for_an_outage_and_nothing_is_lost() -> Result<()> {
    let Some(mut world) = World::start_owning("abandons", &[Server::Mongo]).await? else {
        return Ok(());
    };
    let config = SimulateConfig {
        participants: 1,
        days: 1,
        ..pulseline_tests::sparse()
    };
    ensure_topics(&world.kafka(), 4).await?;
    let mut sink = Service::start(&world, Role::Sink)?;
    sink.until_ready().await?;
    world.stack.kill(Server::Mongo)?;
    let sent = world.simulate(&config).await?.total().acknowledged;
    // The topics' leaders may be waited for first.
    sink.until_waits_for("mongo").await?;
    // No offset is committed yet and the intake is paused, but the lag counts every message.
    sink.until_measured("pulseline_sink_lag_messages", |lag| lag == sent as f64)
        .await?;
    // The sink is alive, and names the server that it waits for.
    ensure!(sink.measures().await?.sum("pulseline_loop_stalled")? == 0.0);
    let (status, body) = sink.get("/readyz").await?;
    ensure!(status == 503 && body.contains("waiting for mongo for "), "{body}");
    ensure!(sink.get("/livez").await?.0 == 200);
    sink.signal()?;
    sink.until_logged("finishing work in progress").await?;
    ensure!(sink.is_running()?, "the first signal must not abandon a batch");
    sink.signal()?;
    ensure!(sink.ended().await? == Some(4), "{}", sink.log()?);
    world.stack.restart(Server::Mongo).await?;
    let services = Service::start_all(&world)?;
    world.until_quiet().await?;
    let findings = truth::compare(&world, &truth::oracle(&config)?).await?;
    ensure!(findings.is_clean(), "{findings}");
    drop(services);
    world.stop().await
}
