//! Several loaders at once: one works, the others wait, and a superseded one writes nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pulseline_generator::{Payload, Planned, SimulateConfig, plan};
use pulseline_schemas::{Stream, UtcMillis};
use pulseline_sql::GenericClient;
use pulseline_stack::Server;
use pulseline_tests::faults::Relay;
use pulseline_tests::producer::Hand;
use pulseline_tests::{Oracle, Role, Service, World, own, truth};

/// Longest wait for a batch to be written.
const PATIENCE: Duration = Duration::from_secs(60);
/// Part of the transaction of each batch.
const HOLDING: &[u8] = b"lock table ops.floors";
const EPOCH: &str = "select min(epoch) from ops.checkpoints";

/// A world with cohorts that were sent, and the expected result.
struct Sent {
    world: World,
    oracle: Oracle,
}

impl Sent {
    async fn send(&mut self, seed: u64) -> Result<()> {
        let cohort = SimulateConfig {
            participants: 2,
            days: 1,
            seed,
            ..pulseline_tests::sparse()
        };
        for planned in plan(&cohort, UtcMillis(0)).map_err(anyhow::Error::msg)? {
            self.oracle.observe(&planned);
        }
        self.world.simulate(&cohort).await?;
        Ok(())
    }

    /// The events of the next cohort: those of one stream, and the others.
    fn by_stream(&mut self, seed: u64, stream: Stream) -> Result<(Vec<Planned>, Vec<Planned>)> {
        let cohort = SimulateConfig {
            participants: 2,
            days: 1,
            seed,
            broken: 0.0,
            ..pulseline_tests::sparse()
        };
        let planned: Vec<_> = plan(&cohort, UtcMillis(0)).map_err(anyhow::Error::msg)?.collect();
        planned.iter().for_each(|planned| self.oracle.observe(planned));
        let is_wanted =
            |planned: &Planned| matches!(&planned.payload, Payload::Event(event) if event.stream() == stream);
        Ok(planned.into_iter().partition(is_wanted))
    }
}

fn loader(world: &World, lease_ms: &str) -> Result<Service> {
    Service::start_with(
        world,
        Role::Loader,
        &[("PULSELINE__LOADER__LEASE_TTL_MS", lease_ms)],
    )
}

#[tokio::test]
async fn d_2_of_several_loaders_one_works_and_another_takes_over() -> Result<()> {
    let mut sent = Sent {
        world: World::start("loaders").await?,
        oracle: Oracle::default(),
    };
    let others = [
        Service::start(&sent.world, Role::Sink)?,
        Service::start(&sent.world, Role::Compactor)?,
    ];
    let pair = [loader(&sent.world, "2000")?, loader(&sent.world, "2000")?];
    sent.send(1).await?;
    sent.world.until_accounted().await?;
    let standby = after_death(&mut sent, pair).await?;
    let standby = after_theft(&mut sent, standby).await?;
    after_frost(&mut sent, standby).await?;
    let findings = truth::compare(&sent.world, &sent.oracle).await?;
    ensure!(findings.is_clean(), "{findings}");
    sent.world.verify_stored().await?;
    drop(others);
    sent.world.stop().await
}

/// The owner is killed: the standby resumes exactly from its position, under a new epoch.
async fn after_death(sent: &mut Sent, mut pair: [Service; 2]) -> Result<Service> {
    let mut owners = Vec::new();
    for loader in &mut pair {
        owners.push(loader.log()?.contains("this loader holds the lease"));
        ensure!(loader.is_running()?, "a standby must wait, not end");
    }
    ensure!(
        owners.iter().filter(|owns| **owns).count() == 1,
        "owners: {owners:?}"
    );
    let [first, second] = pair;
    let (owner, mut standby) = if owners[0] {
        (first, second)
    } else {
        (second, first)
    };
    owner.kill().await?;
    sent.send(2).await?;
    sent.world.until_accounted().await?;
    standby.until_ready().await?;
    ensure!(sent.world.count(EPOCH).await? == 2);
    Ok(standby)
}

/// Another owner takes the lease by force and vanishes: the former owner is fenced, logs it, stands by, and works
/// again when the lease is free.
async fn after_theft(sent: &mut Sent, mut robbed: Service) -> Result<Service> {
    let warehouse = sent.world.warehouse().await?;
    let steal = "update ops.leases set owner = gen_random_uuid(), epoch = epoch + 1 where name = 'loader'";
    ensure!(warehouse.execute(steal, &[]).await? == 1);
    robbed
        .until_logged("superseded: this loader stands by again")
        .await?;
    ensure!(robbed.log()?.contains("fenced"), "{}", robbed.log()?);
    sent.send(3).await?;
    sent.world.until_accounted().await?;
    ensure!(sent.world.count(EPOCH).await? == 4);
    Ok(robbed)
}

/// The owner is frozen inside a transaction: the server ends it, and the standby names what it waits for and takes
/// over. When it continues, the first owner stands by. The time depends on the embedded server: it lends its one
/// session to each writer that has sent its `BEGIN`, and only its own limit ends a silent one.
async fn after_frost(sent: &mut Sent, former: Service) -> Result<()> {
    let url = &sent.world.endpoints.timescale_url;
    let upstream = url.split('@').nth(1).and_then(|rest| rest.split('/').next());
    let upstream = upstream.context("no host")?;
    let relay = Relay::start(upstream, HOLDING).await?;
    let through = url.replace(upstream, &relay.address());
    let settings = [
        // The embedded server lends its one session to one transaction at a time. One writer is frozen inside its
        // own, and no other one must wait behind it to save an idle position.
        ("PULSELINE__LOADER__IDLE_SAVE_MS", "600000"),
        ("PULSELINE__LOADER__LEASE_TTL_MS", "4000"),
        ("PULSELINE__TIMESCALE__URL", through.as_str()),
    ];
    let mut owner = Service::start_with(&sent.world, Role::Loader, &settings)?;
    owner
        .until_logged("standing by: another loader holds the lease")
        .await?;
    ensure!(former.terminate().await? == Some(0));
    owner.until_ready().await?;
    let mut standby = loader(&sent.world, "4000")?;
    standby
        .until_logged("standing by: another loader holds the lease")
        .await?;
    relay.keep();
    let (beats, others) = sent.by_stream(4, Stream::HeartRates)?;
    let hand = Hand::new(&sent.world).await?;
    hand.events(&beats).await?;
    let began = Instant::now();
    while relay.kept() == 0 {
        ensure!(
            began.elapsed() < PATIENCE,
            "no batch was written:\n{}",
            owner.log()?
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    owner.freeze()?;
    standby.until_logged("this loader holds the lease").await?;
    hand.events(&others).await?;
    sent.world.until_accounted().await?;
    let said = standby.log()?;
    // Other servers than the embedded one grant the lease beside an open transaction.
    let is_lent = own::address(Server::Timescale).is_none();
    ensure!(
        !is_lent
            || said.contains("acquiring the loader's lease")
                && said.contains("TimescaleDB does not answer yet"),
        "{said}"
    );
    relay.release();
    owner.thaw()?;
    owner
        .until_logged("superseded: this loader stands by again")
        .await?;
    sent.send(5).await?;
    sent.world.until_quiet().await?;
    ensure!(owner.is_running()? && standby.is_running()?);
    Ok(())
}
