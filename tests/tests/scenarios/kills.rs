//! kill -9 at random moments of the flow.

use std::time::Duration;

use anyhow::{Result, ensure};
use pulseline_generator::{SimulateConfig, ensure_topics, plan};
use pulseline_schemas::UtcMillis;
use pulseline_tests::{Oracle, Role, Service, World, truth};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Kills of each service; `scripts/test long` has more.
const KILLS: u64 = 6;
/// Longest time that a service works before it is killed.
const WORK_MS_MAX: u64 = 1_500;
/// A killed member's partitions are reassigned at once, a killed loader's lease after a second: more kills per
/// minute.
const QUICK: [(&str, &str); 2] = [
    ("PULSELINE__SINK__INSTANCE", "one"),
    ("PULSELINE__LOADER__LEASE_TTL_MS", "1000"),
];

fn cohort(round: u64) -> SimulateConfig {
    SimulateConfig {
        participants: 1,
        days: 1,
        seed: 1_000 + round,
        late: 0.1,
        duplicate: 0.1,
        correct: 0.1,
        broken: 0.01,
        ..pulseline_tests::sparse()
    }
}

#[tokio::test]
async fn d_1_d_2_d_3_kills_of_sink_and_loader_lose_and_duplicate_nothing() -> Result<()> {
    let world = World::start("kills").await?;
    let compactor = Service::start(&world, Role::Compactor)?;
    ensure_topics(&world.kafka(), 4).await?;
    let start = |role| Service::start_with(&world, role, &QUICK);
    let (mut sink, mut loader) = (start(Role::Sink)?, start(Role::Loader)?);
    let number = |name, default| std::env::var(name).map_or(Ok(default), |text: String| text.parse::<u64>());
    let (seed, kills) = (
        number("PULSELINE_TEST_SEED", 7)?,
        number("PULSELINE_TEST_KILLS", KILLS)?,
    );
    println!("PULSELINE_TEST_SEED={seed} PULSELINE_TEST_KILLS={kills}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for round in 0..kills {
        sink.until_ready().await?;
        loader.until_ready().await?;
        let work = Duration::from_millis(random.random_range(0..WORK_MS_MAX));
        let config = cohort(round);
        let flowing = async {
            let sent = world.simulate(&config);
            let strike = tokio::time::sleep(work);
            tokio::join!(sent, strike).0
        };
        flowing.await?;
        let which = random.random_range(0..3_u8);
        println!(
            "round {round}: {} after {work:?}",
            ["sink", "loader", "both"][usize::from(which)]
        );
        if which != 1 {
            sink.kill().await?;
            sink = start(Role::Sink)?;
        }
        if which != 0 {
            loader.kill().await?;
            loader = start(Role::Loader)?;
        }
    }
    world.until_quiet().await?;
    let mut oracle = Oracle::default();
    for round in 0..kills {
        for planned in plan(&cohort(round), UtcMillis(0)).map_err(anyhow::Error::msg)? {
            oracle.observe(&planned);
        }
    }
    let findings = truth::compare(&world, &oracle).await?;
    ensure!(findings.is_clean(), "seed {seed}: {findings}");
    world.verify_stored().await?;
    drop((sink, loader, compactor));
    world.stop().await
}
