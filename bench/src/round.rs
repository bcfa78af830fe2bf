//! One round: floors and hops alternate, on fresh servers.

use std::time::Duration;

use anyhow::{Result, ensure};
use pulseline_tests::World;

use crate::case::Case;
use crate::cohort::{Cohort, Ready};
use crate::cost::Spent;
use crate::floor;
use crate::hop::{self, Load};
use crate::read::{self, Asked};

/// A hop and the floors beside it.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) hop: &'static str,
    pub(crate) readings: u64,
    pub(crate) ours: Spent,
    /// Seconds by name of the floor.
    pub(crate) floors: Vec<(&'static str, f64)>,
}

/// The results of a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) readings: u64,
    pub(crate) hops: Vec<Measured>,
    pub(crate) reads: Vec<Asked>,
}

/// Runs one round.
pub(crate) async fn run(case: &Case) -> Result<Round> {
    let cohort = Cohort::punctual(case);
    let mut round = Round::default();
    let world = World::start_warm("bench").await?;
    let (messages, readings) = cohort.ready(&world).await?;
    round.readings = readings;
    eprintln!("  generate: {} messages, {readings} readings", messages.len());
    round.generate(&world, &cohort, &messages).await?;
    let events = messages.len() as u64;
    drop(messages);
    eprintln!("  store, load");
    let copied = round.carry(&world, &cohort, events).await?;
    eprintln!("  refresh");
    round.refresh(&world).await?;
    if cohort.devices.is_none() {
        eprintln!("  read");
        round.reads = read::ask(&world).await?;
    }
    eprintln!("  snapshot");
    round.snapshot(&world, events, copied).await?;
    eprintln!("  merge");
    round.merge(&world, &Cohort::faulty(case)).await?;
    world.stop().await?;

    eprintln!("  end to end");
    let world = World::start_warm("bench").await?;
    // This world's registry has no schemas yet, so its messages are encoded again.
    let (messages, _) = cohort.ready(&world).await?;
    floor::kafka::warm(&world, &messages).await?;
    let messages = cohort.devices.map(|_| messages);
    let load = messages
        .as_deref()
        .map_or(Load::Simulated(&cohort.config), Load::Ready);
    let spent = hop::whole(&world, load, cohort.config.partitions, events).await?;
    round.note("end to end", readings, spent, &[("COPY", copied)]);
    world.stop().await?;
    Ok(round)
}

impl Round {
    /// The hop into Kafka.
    async fn generate(&mut self, world: &World, cohort: &Cohort, messages: &[Ready]) -> Result<()> {
        floor::kafka::warm(world, messages).await?;
        let bare = floor::kafka::produce(world, messages).await?;
        if cohort.devices.is_some() {
            floor::kafka::deliver(world, messages).await?;
            return Ok(());
        }
        let ours = hop::generate(world, &cohort.config).await?;
        self.note("generate", self.readings, ours, &[("bare producer", bare)]);
        Ok(())
    }

    /// From Kafka to MongoDB, and from there to raw; returns the time that COPY takes for the same rows.
    async fn carry(&mut self, world: &World, cohort: &Cohort, events: u64) -> Result<Duration> {
        hop::take_positions(world).await?;
        let database = world.documents().await?;
        let standing = floor::mongo::Standing::now(&database).await?;
        let consumed = floor::kafka::consume(world)?;
        let ours = hop::store(world, events).await?;
        let stored = standing.added(&database).await?;
        ensure!(stored == events, "{stored} documents of {events} messages");
        let inserted = floor::mongo::insert(&database).await?;
        let floors = [("bare consumer", consumed), ("insert_many", inserted)];
        self.note("store", self.readings, ours, &floors);

        let drained = standing.drain(&database).await?;
        let ours = hop::load(world, events).await?;
        let copied = floor::timescale::copy(&world.warehouse().await?.into_bare(), cohort).await?;
        let floors = [("change stream", drained), ("COPY", copied)];
        self.note("load", self.readings, ours, &floors);
        Ok(copied)
    }

    /// From dirty days to refreshed figures.
    async fn refresh(&mut self, world: &World) -> Result<()> {
        let ours = hop::refresh(world).await?;
        let called = floor::refresh::again(&world.warehouse().await?.into_bare()).await?;
        self.note("refresh", self.readings, ours, &[("CALL", called)]);
        world.until_quiet().await?;
        world.verify_equal().await
    }

    /// From documents to raw, without a change stream.
    async fn snapshot(&mut self, world: &World, events: u64, copied: Duration) -> Result<()> {
        let ours = hop::snapshot(world, events).await?;
        self.note("snapshot", self.readings, ours, &[("COPY", copied)]);
        hop::refresh(world).await?;
        world.until_quiet().await?;
        world.verify_equal().await
    }

    /// The loader again, with late, repeated and corrected uploads of other people.
    async fn merge(&mut self, world: &World, cohort: &Cohort) -> Result<()> {
        let (messages, _) = cohort.ready(world).await?;
        floor::kafka::deliver(world, &messages).await?;
        let events = messages.len() as u64;
        drop(messages);
        hop::store(world, events).await?;
        let ours = hop::load(world, events).await?;
        let (merged, rows) = floor::merge::merge(&world.warehouse().await?.into_bare(), cohort).await?;
        self.note("merge", rows, ours, &[("ON CONFLICT", merged)]);
        hop::refresh(world).await?;
        world.until_quiet().await?;
        world.verify_equal().await
    }

    fn note(&mut self, hop: &'static str, readings: u64, ours: Spent, floors: &[(&'static str, Duration)]) {
        let floors = floors.iter().map(|(name, took)| (*name, took.as_secs_f64()));
        let floors: Vec<_> = floors.collect();
        let slower = floors
            .iter()
            .fold(0.0, |most: f64, (_, seconds)| most.max(*seconds));
        eprintln!(
            "    {hop}: {readings} readings in {:.2} s, floor {slower:.2} s",
            ours.seconds
        );
        self.hops.push(Measured {
            hop,
            readings,
            ours,
            floors,
        });
    }
}
