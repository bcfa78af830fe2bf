//! Random histories: with late, repeated and corrected data in any order, with kills and packing in between, stage
//! and agg equal the expected content at quiet points, computed from the events alone.
//!
//! `PULSELINE_TEST_HISTORIES` is their number (50; `scripts/test long` runs 300), `PULSELINE_TEST_SEED` repeats a
//! run.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use pulseline_generator::{Payload, Planned, SimulateConfig, Start, plan};
use pulseline_runtime::clock::system_utc_millis;
use pulseline_schemas::{Event, LocalMillis, Stream, UtcMillis};
use pulseline_sql::periods::{date_of, number_of};
use pulseline_tests::{Oracle, Role, Service, World, layers, producer::Hand};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A cohort of two people, the second of whom wears two devices: two histories.
const HISTORIES_PER_COHORT: u64 = 2;
const COHORTS_PER_ROUND: u64 = 25;
/// Interruptions of a round.
const PORTIONS: usize = 4;
/// Uploads that come when all others of their round are compacted: few devices change on their days.
const STRAGGLERS: usize = 12;
const DAYS: u32 = 3;
/// Only one of this many hours has readings: more would only take time.
const HOURS_APART: i64 = 8;
const HOUR_MS: i64 = 3_600_000;
/// Less than the day by which a clock may be ahead.
const CLOCK_AHEAD_MS: i64 = 12 * HOUR_MS;

/// Days near which histories begin: clock changes in Oslo and New York; ends of a year, week, leap February and
/// month.
const ANCHORS: [(i16, i8, i8); 7] = [
    (2019, 10, 26),
    (2020, 3, 28),
    (2019, 11, 2),
    (2019, 12, 30),
    (2020, 2, 28),
    (2020, 1, 31),
    (2020, 3, 7),
];

/// Chunks are packed as soon as possible, so that later readings meet packed chunks. Patched days rest for little.
const COMPACTOR: [(&str, &str); 6] = [
    ("PULSELINE__COMPACTOR__INTERVAL_MS", "200"),
    ("PULSELINE__COMPACTOR__QUIET_MS", "0"),
    ("PULSELINE__COMPACTOR__PACK_CHUNKS", "20"),
    ("PULSELINE__COMPACTOR__CYCLE_DAYS", "5"),
    ("PULSELINE__COMPACTOR__SETTLE_AFTER_MS", "500"),
    ("PULSELINE__COMPACTOR__LEASE_TTL_MS", "1000"),
];
const LOADER: [(&str, &str); 2] = [
    ("PULSELINE__LOADER__LEASE_TTL_MS", "1000"),
    ("PULSELINE__LOADER__BATCH_ROWS", "500"),
];

fn number(name: &str, default: u64) -> Result<u64> {
    std::env::var(name).map_or(Ok(default), |text| text.parse().with_context(|| name.to_owned()))
}

/// A cohort that depends only on the seed; one in eight begins today, so that its days are open.
fn cohort(seed: u64) -> Result<SimulateConfig> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let today = date_of(i32::try_from(system_utc_millis() / 86_400_000)? - 1);
    let (year, month, day) = ANCHORS[random.random_range(0..ANCHORS.len())];
    let from = if random.random_range(0..8) == 0 {
        today
    } else {
        date_of(number_of(today.with().year(year).month(month).day(day).build()?))
    };
    Ok(SimulateConfig {
        participants: 2,
        from: Start::Day(from),
        days: DAYS,
        seed,
        late: random.random_range(0.0..0.5),
        duplicate: random.random_range(0.0..0.3),
        correct: random.random_range(0.0..0.5),
        broken: 0.0,
        ..SimulateConfig::default()
    })
}

/// Hours with readings: the same for all devices of a cohort, so that two devices of a person still overlap.
fn is_lived(ts: LocalMillis, seed: u64) -> bool {
    let hour = ts.0.div_euclid(HOUR_MS) + i64::try_from(seed % 1_000).unwrap_or(0);
    hour.rem_euclid(HOURS_APART) == 0
}

/// The upload with fewer readings; none when it has none left.
fn thinned(mut planned: Planned, seed: u64) -> Option<Planned> {
    let Payload::Event(event) = &mut planned.payload else {
        return None;
    };
    // An upload synced tomorrow has a clock that the sink refuses.
    if event.synced_at().0 > system_utc_millis() + CLOCK_AHEAD_MS {
        return None;
    }
    let left = match event {
        Event::HeartRates(event) => {
            // About every fifth reading; the minutes of an hour keep distinct values.
            event
                .samples
                .retain(|sample| is_lived(sample.ts, seed) && sample.ts.0 / 5_000 % 5 == 0);
            event.samples.len()
        }
        Event::Steps(event) => {
            event.samples.retain(|sample| is_lived(sample.ts, seed));
            event.samples.len()
        }
        Event::Distances(event) => {
            event.samples.retain(|sample| is_lived(sample.ts, seed));
            event.samples.len()
        }
        Event::Calories(event) => {
            event.samples.retain(|sample| is_lived(sample.ts, seed));
            event.samples.len()
        }
        _ => 1,
    };
    (left > 0).then_some(planned)
}

/// In every other cohort: a profile by which one person's devices become another's, some time within the history (P17).
fn passed_on(planned: &[Planned], seed: u64) -> Option<Planned> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let profiles = || {
        planned.iter().filter_map(|planned| match &planned.payload {
            Payload::Event(Event::Users(user)) => Some((planned, user)),
            _ => None,
        })
    };
    let (_, giver) = profiles().next()?;
    let (taken, taker) = profiles().find(|(_, user)| user.user_id != giver.user_id)?;
    let synced = || planned.iter().map(|planned| planned.synced_at.0);
    let synced_at = UtcMillis(random.random_range(synced().min()?..=synced().max()?));
    let mut user = taker.clone();
    user.devices.extend(&giver.devices);
    user.event_id = uuid::Builder::from_random_bytes(random.random()).into_uuid();
    user.synced_at = synced_at;
    random.random_bool(0.5).then(|| Planned {
        payload: Payload::Event(Event::Users(user)),
        synced_at,
        delivered_at: synced_at,
        ..taken.clone()
    })
}

/// All uploads of a round's histories, in random order.
fn deliveries(round: u64, seed: u64) -> Result<Vec<Planned>> {
    let mut all = Vec::new();
    for cohort_of in 0..COHORTS_PER_ROUND {
        let seed = seed * 1_000_000 + round * COHORTS_PER_ROUND + cohort_of;
        let planned = plan(&cohort(seed)?, UtcMillis(0)).map_err(anyhow::Error::msg)?;
        let first = all.len();
        all.extend(planned.filter_map(|planned| thinned(planned, seed)));
        all.extend(passed_on(&all[first..], seed));
    }
    all.shuffle(&mut ChaCha8Rng::seed_from_u64(seed + round));
    Ok(all)
}

#[tokio::test]
async fn a_1_d_5_stage_and_agg_match_the_events_after_any_history() -> Result<()> {
    let seed = number("PULSELINE_TEST_SEED", 7)?;
    let histories = number("PULSELINE_TEST_HISTORIES", 50)?;
    println!("PULSELINE_TEST_SEED={seed} PULSELINE_TEST_HISTORIES={histories}");
    let world = World::start("histories").await?;
    let hand = Hand::new(&world).await?;
    let sink = Service::start(&world, Role::Sink)?;
    let mut loader = Service::start_with(&world, Role::Loader, &LOADER)?;
    let mut compactor = Service::start_with(&world, Role::Compactor, &COMPACTOR)?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut oracle = Oracle::default();
    let rounds = histories.div_ceil(COHORTS_PER_ROUND * HISTORIES_PER_COHORT);
    for round in 0..rounds {
        let began = Instant::now();
        let all = deliveries(round, seed)?;
        let (all, stragglers) = all.split_at(all.len().saturating_sub(STRAGGLERS));
        let middle = random.random_range(1..PORTIONS);
        for (index, portion) in all.chunks(all.len().div_ceil(PORTIONS)).enumerate() {
            hand.events(portion).await?;
            portion.iter().for_each(|planned| oracle.observe(planned));
            let pause = random.random_range(0..1_500);
            tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
            let struck = random.random_range(0..4_u8);
            if struck & 1 > 0 {
                loader.kill().await?;
                loader = Service::start_with(&world, Role::Loader, &LOADER)?;
            }
            if struck & 2 > 0 {
                compactor.kill().await?;
                compactor = Service::start_with(&world, Role::Compactor, &COMPACTOR)?;
            }
            if index + 1 == middle {
                compare(&world, &oracle, (seed, round)).await?;
            }
        }
        compare(&world, &oracle, (seed, round)).await?;
        hand.events(stragglers).await?;
        stragglers.iter().for_each(|planned| oracle.observe(planned));
        compare(&world, &oracle, (seed, round)).await?;
        let packed = world
            .count("select count(*) from ops.chunks where is_packed")
            .await?;
        println!(
            "round {round}: {} uploads, {} rows in all, {packed} packed chunks, {:.1} s",
            all.len(),
            oracle.rows(),
            began.elapsed().as_secs_f64()
        );
    }
    world
        .until_count("select count(*) from ops.unsettled_days", 0)
        .await?;
    compare(&world, &oracle, (seed, rounds)).await?;
    for (task, missing) in [
        ("repack", "nothing came into a packed chunk"),
        ("patch", "no day changed for few devices"),
        ("refresh", "no day changed for many devices"),
        ("settle", "no patched day was settled"),
    ] {
        let done = format!("select count(*) from ops.compactions where task = '{task}'");
        ensure!(world.count(&done).await? > 0, "{missing}");
    }
    ensure!(oracle.loaded_messages(Stream::HeartRates) > 0);
    let owners =
        "select count(*) from (select device_id from raw.device_owners group by 1 having count(*) > 1) d";
    ensure!(world.count(owners).await? > 0, "no device changed hands");
    world.verify_equal().await?;
    drop((sink, loader, compactor));
    world.stop().await
}

async fn compare(world: &World, oracle: &Oracle, (seed, round): (u64, u64)) -> Result<()> {
    world.until_quiet().await?;
    let findings = layers::compare(world, oracle).await?;
    ensure!(
        findings.is_clean(),
        "PULSELINE_TEST_SEED={seed} PULSELINE_TEST_HISTORIES={} shows it: {findings}",
        (round + 1) * COHORTS_PER_ROUND * HISTORIES_PER_COHORT
    );
    Ok(())
}
