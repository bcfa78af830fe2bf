//! Heals continuously: searches for holes again and again, repairs a bounded number of offsets per round, then removes old
//! documents.

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
use crate::healer::retention::Retention;

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
    /// Days of MongoDB's documents of readings that are kept; 0 keeps all.
    pub retain_documents_days: i32,
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
        if rounds.retain_documents_days > 0 && !healer.audited.timescale.schema_prefix.is_empty() {
            return Err(HealerError::Config(
                "healer.retain_documents_days must be 0 with a timescale.schema_prefix: only the warehouse in use knows which \
                 documents are not needed"
                    .into(),
            ));
        }
        let heart = health.watch("round", ROUND_PATIENCE + rounds.pause + rounds.grace);
        let mut wait = healer.shutdown.waits().prepare("healing");
        let mut agenda = Agenda::new(rounds.offsets, LOST_REST);
        let mut retention = Retention::new(rounds.retain_documents_days);
        while !healer.shutdown.is_stopping() {
            let worked = async {
                let untried = round(&healer, rounds.grace, &mut agenda).await?;
                retention.round(&healer, untried, &heart).await
            };
            let is_outage = match worked.await {
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

/// Returns the missing offsets that were not tried yet.
async fn round(healer: &Healer, grace: Duration, agenda: &mut Agenda) -> Result<i64, HealerError> {
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
    let untried = (figures.lost - figures.known).max(0);
    if figures.known != known {
        let lost = figures.known;
        tracing::warn!(
            lost,
            untried,
            "some offsets are in no store, and some holes were not tried yet"
        );
    }
    metrics::record(figures, system_utc_millis());
    Ok(untried)
}

fn said(healed: &Healed) {
    let Healed {
        hole,
        documents,
        messages,
        left,
        are_removed,
        ..
    } = healed;
    match left {
        None => tracing::warn!(%hole, documents, messages, "a hole was repaired"),
        Some(left) if *are_removed => {
            tracing::error!(%hole, documents, messages, left, "lost: the documents of some of these offsets were removed for their age");
        }
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
            retain_documents_days: 0,
        };
        assert_eq!(rounds(3_600).pause_after(true), OUTAGE_PAUSE);
        assert_eq!(rounds(3_600).pause_after(false), Duration::from_secs(3_600));
        assert_eq!(rounds(1).pause_after(true), Duration::from_secs(1));
    }
}
