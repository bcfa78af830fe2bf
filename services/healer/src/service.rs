//! Healing without being asked: looked for again and again, mended a bounded number of offsets at a time.

use std::time::Duration;

use pulseline_auditor::Hole;
use pulseline_runtime::clock::system_utc_millis;
use pulseline_runtime::health::Health;
use pulseline_runtime::retry::{Class, Classify};

use crate::error::HealerError;
use crate::{Healed, Healer, metrics};

/// Offsets that one round mends at most: loading and storing of what is new go first.
const ROUND_OFFSETS: i64 = 20_000;
/// Longest a round may take, besides its waits.
const ROUND_PATIENCE: Duration = Duration::from_secs(1_800);

/// Heals every `pause` until told to stop; what is on its way is waited for `grace` long in each round. Outages are waited out.
///
/// # Errors
/// What waiting does not mend.
pub async fn run(
    healer: Healer,
    pause: Duration,
    grace: Duration,
    health: Health,
) -> Result<(), HealerError> {
    metrics::describe();
    let heart = health.watch("round", ROUND_PATIENCE + pause + grace);
    let mut wait = healer.shutdown.waits().prepare("healing");
    while !healer.shutdown.is_stopping() {
        match round(&healer, grace).await {
            Ok(()) => {
                wait.over();
                health.set_ready(true);
            }
            Err(error) if error.class() == Class::Transient => {
                health.set_ready(false);
                wait.failed(error.hop(), &error);
            }
            Err(error) => return Err(error),
        }
        heart.beat();
        if !healer.shutdown.sleep(pause).await {
            break;
        }
    }
    Ok(())
}

async fn round(healer: &Healer, grace: Duration) -> Result<(), HealerError> {
    let (holes, in_flight) = healer.find(grace).await?;
    let found: i64 = holes.iter().map(count).sum();
    if holes.is_empty() {
        metrics::record(0, 0, in_flight, system_utc_millis());
        return Ok(());
    }
    let mut tell = |healed: &Healed| {
        let Healed {
            hole,
            documents,
            messages,
            left,
        } = healed;
        match left {
            None => tracing::warn!(%hole, documents, messages, "a hole was mended"),
            Some(left) => {
                tracing::error!(%hole, documents, messages, left, "lost: neither MongoDB nor Kafka has these offsets")
            }
        }
    };
    healer.mend(bounded(holes), &mut tell).await?;
    // The books tell what it gave, for whoever is faster than this look.
    let (holes, in_flight) = healer.find(Duration::ZERO).await?;
    let left = holes.iter().map(count).sum();
    metrics::record(left, (found - left).max(0), in_flight, system_utc_millis());
    Ok(())
}

fn count(hole: &Hole) -> i64 {
    hole.offsets.end - hole.offsets.start
}

/// The first of these offsets, as many as a round may mend.
fn bounded(holes: Vec<Hole>) -> Vec<Hole> {
    let mut room = ROUND_OFFSETS;
    let mut taken = Vec::new();
    for mut hole in holes {
        if room <= 0 {
            break;
        }
        hole.offsets.end = hole.offsets.end.min(hole.offsets.start + room);
        room -= count(&hole);
        taken.push(hole);
    }
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_3_a_round_mends_a_bounded_number_of_offsets_and_never_none(
            lengths in prop::collection::vec(1..30_000_i64, 1..6)
        ) {
            let hole = |length: &i64| Hole {
                topic: "fitbit.steps".into(),
                generation: 0,
                partition: 0,
                offsets: 5..5 + length,
            };
            let holes: Vec<Hole> = lengths.iter().map(hole).collect();
            let taken = bounded(holes.clone());
            let sum: i64 = taken.iter().map(count).sum();
            prop_assert_eq!(sum, lengths.iter().sum::<i64>().min(ROUND_OFFSETS));
            for (taken, hole) in taken.iter().zip(&holes) {
                prop_assert!(taken.offsets.start == hole.offsets.start && count(taken) > 0);
            }
        }
    }
}
