//! Removes old documents of readings from MongoDB: their rows are loaded and compared, and raw alone keeps them (P12).
//!
//! ```text
//!  floor of documents, loaded days ──▶ the next days ──▶ raw = MongoDB? ──▶ the floor rises ──▶ what is older is removed:
//!                                                          │ no                                  offsets are marked, then
//!                                                          ▼ the floor stays, a person looks     documents are deleted
//! ```

mod page;
mod step;
mod sweep;

use std::ops::Range;
use std::time::{Duration, Instant};

use pulseline_auditor::{Days, Scope, Verdict, VerifyConfig, verify};
use pulseline_clients::mongo;
use pulseline_runtime::clock::system_utc_millis;
use pulseline_runtime::health::Heart;
use pulseline_schemas::Stream;
use pulseline_sql::periods::{DayNumber, date_of};
use pulseline_sql::{Client, GenericClient, documents, query};

use crate::healer::error::HealerError;
use crate::healer::metrics;
use crate::healer::repair::Healer;
use step::{Facts, Step, next};
use sweep::Sweep;

pub(crate) const DAY_MS: i64 = 86_400_000;
/// How long the floor rests after a difference: comparing costs as much as it did, and a person has to repair it.
const DIFFERENT_REST: Duration = Duration::from_secs(3_600);

/// What earlier rounds did.
#[derive(Debug)]
pub(crate) struct Retention {
    /// Days whose documents are kept; 0 keeps all.
    days: i32,
    /// True once everything below the floor was looked at.
    is_swept: bool,
    /// When raw last differed from the documents.
    different_at: Option<Instant>,
}

impl Retention {
    pub(crate) fn new(days: i32) -> Self {
        Self {
            days,
            is_swept: false,
            different_at: None,
        }
    }

    /// Removes what is due, or raises the floor by a step and removes what is due then; each is bounded. `untried` is the
    /// number of missing offsets that may still be found.
    pub(crate) async fn round(
        &mut self,
        healer: &Healer,
        untried: i64,
        heart: &Heart,
    ) -> Result<(), HealerError> {
        if self.days == 0 {
            return Ok(());
        }
        let mut client = pulseline_sql::open(&healer.audited.timescale, "pulseline-healer").await?;
        let facts = facts(&client, self.days, untried).await?;
        metrics::record_documents_floor(facts.floor);
        if !self.is_swept {
            self.is_swept = sweep_below(healer, &mut client, facts.floor, heart).await?;
            if !self.is_swept {
                return Ok(());
            }
        }
        let days = match next(&facts) {
            Step::Nothing => {
                metrics::record_documents_held_back(false);
                return Ok(());
            }
            Step::Wait(why) => {
                tracing::debug!(why, "old documents are kept for now");
                // A rebuild ends by itself.
                metrics::record_documents_held_back(!facts.is_rebuilding);
                return Ok(());
            }
            Step::Compare(days) => days,
        };
        if self.different_at.is_some_and(|at| at.elapsed() < DIFFERENT_REST) {
            return Ok(());
        }
        if self.may_raise(healer, &days, heart).await? && raise(&mut client, days.end).await? {
            metrics::record_documents_floor(Some(days.end));
            self.is_swept = sweep_below(healer, &mut client, Some(days.end), heart).await?;
        }
        Ok(())
    }

    /// True when raw has what the documents of these days say.
    async fn may_raise(
        &mut self,
        healer: &Healer,
        days: &Range<DayNumber>,
        heart: &Heart,
    ) -> Result<bool, HealerError> {
        let verdict = compare(healer, days, heart).await?;
        let first = verdict.differences.first();
        self.different_at = first.map(|_| Instant::now());
        metrics::record_documents_held_back(first.is_some());
        if let Some(difference) = first {
            tracing::warn!(
                difference,
                differences = verdict.differences.len(),
                "old documents are kept: raw differs from them; `pulseline backfill` of that day repairs raw"
            );
        }
        Ok(first.is_none() && verdict.start_at.is_none())
    }
}

async fn facts(client: &Client, retain_days: i32, untried: i64) -> Result<Facts, HealerError> {
    let streams: Vec<&str> = Stream::readings()
        .map(|(stream, _)| stream.collection())
        .collect();
    let row = client.query_one(query!("healer/retention"), &[&streams]).await?;
    let own_today = DayNumber::try_from(system_utc_millis().div_euclid(DAY_MS)).unwrap_or(DayNumber::MIN);
    Ok(Facts {
        retain_days,
        // One clock that runs ahead must not remove anything.
        today: own_today.min(row.get(4)),
        floor: row.get(0),
        oldest: row.get(1),
        untried,
        is_followed: row.get(2),
        is_rebuilding: row.get(3),
    })
}

/// Compares readings of these days with their documents.
async fn compare(healer: &Healer, days: &Range<DayNumber>, heart: &Heart) -> Result<Verdict, HealerError> {
    let tables = Stream::readings().map(|(stream, _)| stream.raw_table().to_owned());
    let config = VerifyConfig {
        scope: Scope {
            days: Days::Between(days.clone()),
            relations: tables.collect(),
            ..Scope::default()
        },
        ..VerifyConfig::default()
    };
    let progress = |_: &str| heart.beat();
    Ok(verify(&config, &healer.audited, &healer.shutdown, &progress).await?)
}

/// Raises the floor; false when a rebuild began meanwhile.
async fn raise(client: &mut Client, to: DayNumber) -> Result<bool, HealerError> {
    let transaction = client.transaction().await?;
    if !documents::hold(&transaction).await? {
        return Ok(false);
    }
    documents::raise(&transaction, to).await?;
    transaction.commit().await?;
    tracing::info!(floor = %date_of(to), "the floor of documents was raised: documents of days before it are removed");
    Ok(true)
}

/// Removes documents below the floor; false when some are left for a later round.
async fn sweep_below(
    healer: &Healer,
    client: &mut Client,
    floor: Option<DayNumber>,
    heart: &Heart,
) -> Result<bool, HealerError> {
    let Some(floor) = floor else { return Ok(true) };
    let database = mongo::open(&healer.audited.mongo, "pulseline-healer").await?;
    let swept = Sweep::new(healer, client, &database, heart).run(floor).await;
    database.close().await;
    swept
}
