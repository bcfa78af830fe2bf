//! One round: floors and hops by turns, on fresh servers.

use anyhow::{Result, ensure};
use pulseline_generator::SimulateConfig;
use pulseline_tests::World;

use crate::cohort;
use crate::cost::Cost;
use crate::floor;
use crate::hop;

/// A hop and the floors beside it.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) hop: &'static str,
    /// Seconds.
    pub(crate) ours: f64,
    /// Seconds by the floor's name.
    pub(crate) floors: Vec<(&'static str, f64)>,
}

/// What a round measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) readings: u64,
    pub(crate) hops: Vec<Measured>,
    /// Service, and what it used from its start on.
    pub(crate) costs: Vec<(&'static str, Cost)>,
}

/// Runs one.
pub(crate) async fn run(config: &SimulateConfig) -> Result<Round> {
    let world = World::start("bench").await?;
    let (messages, readings) = cohort::ready(config, &world).await?;
    let events = messages.len() as u64;
    let mut round = Round {
        readings,
        ..Round::default()
    };

    eprintln!("  generate: {events} messages, {readings} readings");
    let bare = floor::kafka::produce(&world, &messages).await?;
    drop(messages);
    let ours = hop::generate(&world, config).await?;
    round.note("generate", ours, &[("bare producer", bare)]);

    eprintln!("  store");
    hop::take_positions(&world).await?;
    let database = world.documents().await?;
    let tokens = floor::mongo::tokens(&database).await?;
    let consumed = floor::kafka::consume(&world)?;
    let ours = hop::store(&world, events).await?;
    let documents = floor::mongo::documents(&database).await?;
    let stored: usize = documents.iter().map(|(_, documents)| documents.len()).sum();
    ensure!(stored as u64 == events, "{stored} documents of {events} messages");
    let inserted = floor::mongo::insert(&database, &documents).await?;
    round.note(
        "store",
        ours,
        &[("bare consumer", consumed), ("insert_many", inserted)],
    );

    eprintln!("  load");
    let drained = floor::mongo::drain(&database, tokens, &documents).await?;
    drop(documents);
    let ours = hop::load(&world, events).await?;
    let (copied, _) = floor::timescale::copy(&world.warehouse().await?).await?;
    round.note("load", ours, &[("change stream", drained), ("COPY", copied)]);
    world.stop().await?;

    eprintln!("  end to end");
    let world = World::start("bench").await?;
    let (took, costs) = hop::whole(&world, config, events).await?;
    round.note("end to end", took, &[("COPY", copied)]);
    round.costs = costs;
    world.stop().await?;
    Ok(round)
}

impl Round {
    fn note(
        &mut self,
        hop: &'static str,
        ours: std::time::Duration,
        floors: &[(&'static str, std::time::Duration)],
    ) {
        let floors = floors.iter().map(|(name, took)| (*name, took.as_secs_f64()));
        self.hops.push(Measured {
            hop,
            ours: ours.as_secs_f64(),
            floors: floors.collect(),
        });
    }
}
