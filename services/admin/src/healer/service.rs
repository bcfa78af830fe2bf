//! Heals continuously: searches for holes again and again, and repairs a bounded number of offsets per round.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use pulseline_auditor::Hole;
use pulseline_runtime::clock::system_utc_millis;
use pulseline_runtime::health::Health;
use pulseline_runtime::retry::{Class, Classify};

use crate::healer::agenda::Agenda;
use crate::healer::error::HealerError;
use crate::healer::metrics;
use crate::healer::repair::{Healed, Healer};

/// Default for the most offsets per round: loading and storing new data goes first.
pub const ROUND_OFFSETS: i64 = 20_000;
/// How long an offset in neither MongoDB nor Kafka rests: an operator may restore one of them from a copy.
const LOST_REST: Duration = Duration::from_secs(3_600);
/// Longest pause after a round that an outage ended: rounds may be an hour apart.
const OUTAGE_PAUSE: Duration = Duration::from_secs(5);
/// Longest that a round may take, besides its waits.
const ROUND_PATIENCE: Duration = Duration::from_secs(1_800);

/// The settings of the healing service.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// Pause between two rounds.
    pub pause: Duration,
    /// How long a round waits for messages in flight.
    pub grace: Duration,
    /// Most offsets that a round repairs.
    pub offsets: i64,
}

impl Rounds {
    fn pause_after(&self, is_outage: bool) -> Duration {
        if is_outage {
            return self.pause.min(OUTAGE_PAUSE);
        }
        self.pause
    }
}

/// Heals round after round until told to stop. It waits out outages. Each round continues where the last one ended;
/// offsets found in no store are retried after an hour.
///
/// # Errors
/// Permanent failures.
pub fn run(healer: Healer, rounds: Rounds, health: Health) -> BoxFuture<'static, Result<(), HealerError>> {
    Box::pin(async move {
        metrics::describe();
        let heart = health.watch("round", ROUND_PATIENCE + rounds.pause + rounds.grace);
        let mut wait = healer.shutdown.waits().prepare("healing");
        let mut agenda = Agenda::new(rounds.offsets, LOST_REST);
        while !healer.shutdown.is_stopping() {
            let is_outage = match round(&healer, rounds.grace, &mut agenda).await {
                Ok(()) => {
                    wait.over();
                    health.set_ready(true);
                    false
                }
                Err(error) if error.class() == Class::Transient => {
                    health.set_ready(false);
                    wait.failed(error.hop(), &error);
                    true
                }
                Err(error) => return Err(error),
            };
            heart.beat();
            if !healer.shutdown.sleep(rounds.pause_after(is_outage)).await {
                break;
            }
        }
        Ok(())
    })
}

async fn round(healer: &Healer, grace: Duration, agenda: &mut Agenda) -> Result<(), HealerError> {
    let (holes, in_flight) = healer.find(grace).await?;
    let (found, known) = (count(&holes), agenda.known());
    let next = agenda.next(&holes, Instant::now());
    let mut figures = metrics::Figures {
        lost: found,
        known: agenda.known(),
        repaired: 0,
        in_flight,
    };
    if !next.is_empty() {
        let mut tell = |healed: &Healed| {
            agenda.tried(&healed.hole, &healed.left_offsets, Instant::now());
            said(healed);
        };
        healer.repair(next, &mut tell).await?;
        // The ops tables show the result, even if another program was faster.
        let (holes, in_flight) = healer.find(Duration::ZERO).await?;
        figures.lost = count(&holes);
        figures.known = agenda.known();
        figures.repaired = (found - figures.lost).max(0);
        figures.in_flight = in_flight;
    }
    if figures.known != known {
        let (lost, untried) = (figures.known, (figures.lost - figures.known).max(0));
        tracing::warn!(
            lost,
            untried,
            "some offsets are in no store, and some holes were not tried yet"
        );
    }
    metrics::record(figures, system_utc_millis());
    Ok(())
}

fn said(healed: &Healed) {
    let Healed {
        hole,
        documents,
        messages,
        left,
        ..
    } = healed;
    match left {
        None => tracing::warn!(%hole, documents, messages, "a hole was repaired"),
        Some(left) => {
            tracing::error!(%hole, documents, messages, left, "lost: neither MongoDB nor Kafka has these offsets");
        }
    }
}

fn count(holes: &[Hole]) -> i64 {
    holes
        .iter()
        .map(|hole| hole.offsets.end - hole.offsets.start)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_at_the_start_does_not_take_an_hour() {
        let rounds = |pause| Rounds {
            pause: Duration::from_secs(pause),
            grace: Duration::ZERO,
            offsets: 1,
        };
        assert_eq!(rounds(3_600).pause_after(true), OUTAGE_PAUSE);
        assert_eq!(rounds(3_600).pause_after(false), Duration::from_secs(3_600));
        assert_eq!(rounds(1).pause_after(true), Duration::from_secs(1));
    }
}
