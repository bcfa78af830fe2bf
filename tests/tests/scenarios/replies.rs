//! Lost replies: the server executed a request, and the client does not learn it.

use anyhow::{Context, Result, ensure};
use bson::doc;
use pulseline_generator::SimulateConfig;
use pulseline_stack::Server;
use pulseline_tests::faults::Relay;
use pulseline_tests::{Role, Service, World, truth};

const LOST: usize = 3;
/// Inserts that are executed, and that a majority does not confirm in time; after those that open the topics.
const UNCONFIRMED: i32 = 2;
const CONFIRMED: i32 = 20;

fn cohort() -> SimulateConfig {
    SimulateConfig {
        participants: 3,
        days: 2,
        duplicate: 0.1,
        ..pulseline_tests::sparse()
    }
}

async fn leave_unconfirmed(world: &World) -> Result<()> {
    let concern = doc! { "code": 64, "errmsg": "waiting for replication timed out" };
    let fails =
        doc! { "failCommands": ["insert"], "appName": "pulseline-sink", "writeConcernError": concern };
    let mode = doc! { "skip": CONFIRMED, "times": UNCONFIRMED };
    let command = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": fails };
    let database = world.documents().await?;
    database.client().database("admin").run_command(command).await?;
    Ok(())
}

#[tokio::test]
async fn d_1_the_sink_recognises_what_it_stored_when_the_reply_was_lost_or_a_majority_was_missing()
-> Result<()> {
    let Some(world) = World::start_owning("mongo-replies", &[Server::Mongo]).await? else {
        return Ok(());
    };
    let upstream = world
        .endpoints
        .mongo_uri
        .trim_start_matches("mongodb://")
        .split('/')
        .next()
        .context("no host")?;
    let relay = Relay::start(upstream, b"insert\0").await?;
    // A direct connection: with the replica set's own address the driver would bypass the relay.
    let uri = format!(
        "mongodb://{}/?directConnection=true&retryWrites=false",
        relay.address()
    );
    let sink = Service::start_with(&world, Role::Sink, &[("PULSELINE__MONGO__URI", &uri)])?;
    let others = [
        Service::start(&world, Role::Loader)?,
        Service::start(&world, Role::Compactor)?,
    ];
    leave_unconfirmed(&world).await?;
    relay.lose(LOST);
    world.simulate(&cohort()).await?;
    world.until_quiet().await?;
    ensure!(
        relay.lost() == LOST,
        "only {} replies were lost: nothing was tried",
        relay.lost()
    );
    let is_said = sink.log()?.contains("a majority did not acknowledge a write");
    ensure!(is_said, "no insert was left unconfirmed");
    let findings = truth::compare(&world, &truth::oracle(&cohort())?).await?;
    ensure!(findings.is_clean(), "{findings}");
    world.verify_stored().await?;
    drop((sink, others));
    world.stop().await
}

#[tokio::test]
async fn d_2_the_loader_goes_on_from_what_is_committed_when_the_reply_was_lost() -> Result<()> {
    let Some(world) = World::start_owning("sql-replies", &[Server::Timescale]).await? else {
        return Ok(());
    };
    let url = &world.endpoints.timescale_url;
    let upstream = url
        .split('@')
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .context("no host")?;
    let relay = Relay::start(upstream, b"COMMIT").await?;
    let through = url.replace(upstream, &relay.address());
    let loader = Service::start_with(&world, Role::Loader, &[("PULSELINE__TIMESCALE__URL", &through)])?;
    let others = [
        Service::start(&world, Role::Sink)?,
        Service::start(&world, Role::Compactor)?,
    ];
    relay.lose(LOST);
    world.simulate(&cohort()).await?;
    world.until_quiet().await?;
    ensure!(
        relay.lost() == LOST,
        "only {} replies were lost: nothing was tried",
        relay.lost()
    );
    let findings = truth::compare(&world, &truth::oracle(&cohort())?).await?;
    ensure!(findings.is_clean(), "{findings}");
    world.verify_stored().await?;
    drop((loader, others));
    world.stop().await
}
