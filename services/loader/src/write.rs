//! One batch, one transaction: rows, accounting, dirty days, dead letters and the position, all or nothing.

mod bisect;
mod copying;
mod dead_letters;
mod entries;
mod erase;
mod expected;
mod floor;
mod limits;
mod ops_tables;
mod profiles;
mod readings;
mod transaction;
mod write_guard;

use std::time::{Duration, Instant};

use bson::RawDocumentBuf;
use mongodb::{Collection, Database};
use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::Client;

use crate::account::{self, Account};
use crate::backfill::Mark;
use crate::batch::{Batch, Progress};
use crate::checkpoint::{Checkpoint, Claim, Claimed};
use crate::config::{LEASE_TTL_MS, LoaderConfig};
use crate::dead_letter::Stage;
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::high_watermarks::HighWatermarks;
use crate::metrics;
use crate::resolve::{self, Row};
use crate::resume::ResumePoint;
pub(crate) use expected::Expected;
use limits::Limits;
pub(crate) use limits::{is_superseded, sessions_of};
use transaction::{BatchRows, Pieces, Table};
use write_guard::Known;

/// Writes the batches of one collection over one connection. After an error that it cannot handle it is
/// discarded: the next writer starts from the durable position.
pub(crate) struct Writer {
    source: SourceCollection,
    client: Client,
    purpose: Purpose,
    high_watermarks: HighWatermarks,
    table: Table,
    dead_letters: Collection<RawDocumentBuf>,
    /// The loader's own dead letters, which return through their collection; none outside the loader.
    expected: Option<Expected>,
    known: Known,
    limits: Limits,
}

/// Where a collection is loaded from and to, and under which epoch of the lease.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a> {
    pub(crate) timescale: &'a TimescaleConfig,
    pub(crate) database: &'a Database,
    pub(crate) config: &'a LoaderConfig,
    pub(crate) epoch: i64,
    pub(crate) expected: &'a Expected,
}

/// The outcome of opening a collection.
pub(crate) enum Opened {
    /// The collection is open; with the content of its checkpoint.
    Ours(Box<Writer>, Box<Claimed>),
    /// Another session holds its checkpoint.
    Locked,
}

/// The purpose of a writer.
pub(crate) enum Purpose {
    /// Follow a collection: position and accounting move with its rows.
    Follow(Checkpoint),
    /// Reload documents whose offsets are accounted for: progress moves with the rows.
    Backfill(Mark),
    /// Reload documents that became dead letters.
    ReplayDeadLetter,
    /// Load the rows of lost offsets, with their accounting.
    LoadOffsets,
}

impl Purpose {
    /// What a batch adds to the log of accounted offsets.
    fn accounts(&self, batch: &Batch) -> Vec<Account> {
        let accounts = batch.accounts.iter().cloned();
        account::merge(match self {
            Self::Follow(_) | Self::LoadOffsets => accounts.collect(),
            Self::ReplayDeadLetter => accounts.map(Account::revived).collect(),
            Self::Backfill(_) => Vec::new(),
        })
    }
}

/// The readings of a batch, resolved.
#[derive(Default)]
struct Plan {
    direct: Vec<Row>,
    merge: Vec<Row>,
}

/// How direct rows are treated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Rows after the newest loaded one are copied directly.
    HighWatermarks,
    /// Every row is merged: the high watermarks proved wrong.
    Nothing,
}

impl Writer {
    /// Connects, and takes the checkpoint over; waits at most `patience` for another session that holds it.
    pub(crate) async fn open(
        term: Term<'_>,
        source: SourceCollection,
        patience: Duration,
    ) -> Result<Opened, LoaderError> {
        let application = limits::application(source, term.epoch);
        let mut client = connect(term.timescale, &application).await?;
        let (checkpoint, claimed) = match Checkpoint::claim(&mut client, source, term.epoch, patience).await?
        {
            Claim::Ours(checkpoint, claimed) => (checkpoint, claimed),
            Claim::Locked => return Ok(Opened::Locked),
        };
        let dead_letters = term.database.collection(SourceCollection::DeadLetters.name());
        let writer = Self::new(source, client, Purpose::Follow(checkpoint), dead_letters);
        let writer = Self {
            high_watermarks: HighWatermarks::new(term.config.high_watermark_devices),
            expected: Some(term.expected.clone()),
            limits: Limits::new(term.config.lease_ttl()),
            ..writer
        };
        Ok(Opened::Ours(Box::new(writer), claimed))
    }

    /// Connects to write documents beside the loader that follows the collection.
    pub(crate) async fn beside(
        timescale: &TimescaleConfig,
        source: SourceCollection,
        purpose: Purpose,
        dead_letters: Collection<RawDocumentBuf>,
    ) -> Result<Self, LoaderError> {
        let client = connect(timescale, &format!("pulseline-beside-{}", source.name())).await?;
        Ok(Self::new(source, client, purpose, dead_letters))
    }

    fn new(
        source: SourceCollection,
        client: Client,
        purpose: Purpose,
        dead_letters: Collection<RawDocumentBuf>,
    ) -> Self {
        let table = match source {
            SourceCollection::Stream(stream) => Table::of(Some(stream)),
            SourceCollection::Receipts | SourceCollection::DeadLetters => Table::of(None),
        };
        Self {
            source,
            client,
            purpose,
            high_watermarks: HighWatermarks::new(1),
            table,
            dead_letters,
            expected: None,
            known: Known::default(),
            limits: Limits::new(Duration::from_millis(LEASE_TTL_MS)),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn source(&self) -> SourceCollection {
        self.source
    }

    /// Starts a snapshot: the change stream continues from this position afterwards.
    pub(crate) fn begin_snapshot(&mut self, begins: ResumePoint) {
        if let Purpose::Follow(checkpoint) = &mut self.purpose {
            checkpoint.begin_snapshot(begins);
        }
    }

    /// Saves a position when there is nothing to write with it.
    pub(crate) async fn save(&mut self, progress: &Progress) -> Result<(), LoaderError> {
        if let Purpose::Follow(checkpoint) = &mut self.purpose {
            checkpoint.advance(&self.client, progress).await?;
            checkpoint.committed();
        }
        Ok(())
    }

    /// Writes a batch; returns the number of rows written. It retries conflicts, merges rows whose keys exist, and makes
    /// dead letters of refused rows.
    pub(crate) async fn write(&mut self, batch: &mut Batch) -> Result<u64, LoaderError> {
        let began = Instant::now();
        let mut trust = match self.purpose {
            Purpose::Follow(_) | Purpose::Backfill(_) => Trust::HighWatermarks,
            Purpose::ReplayDeadLetter | Purpose::LoadOffsets => Trust::Nothing,
        };
        self.limits.unpacking = false;
        if let (SourceCollection::DeadLetters, Some(expected)) = (self.source, &self.expected) {
            expected.leave_out(&mut batch.dead_letters);
        }
        loop {
            self.leave_out(batch).await?;
            let expected = self.expected.as_ref();
            dead_letters::store(self.source, &self.dead_letters, &mut batch.dead_letters, expected).await?;
            let plan = self.plan(batch, trust).await?;
            let error = match self.transact(batch, &plan).await {
                Ok(changed) => {
                    self.committed(batch, &plan, began);
                    return Ok(changed);
                }
                Err(error) => error,
            };
            if error.is_conflict() {
                tracing::info!(collection = self.source.name(), %error, "conflict: retrying the batch");
            } else if error.is_unique_violation() && trust == Trust::HighWatermarks {
                metrics::record_fallback(self.source);
                self.high_watermarks.clear();
                trust = Trust::Nothing;
            } else if let LoaderError::Moved { guard } = error {
                self.known.learn(guard, &self.client, &self.dead_letters).await?;
            } else if error.is_unpacking_limit() && !self.limits.unpacking {
                self.limits.unpacking = true;
            } else if error.is_data_error() {
                if !self.bisect(batch).await? {
                    return Err(error);
                }
            } else {
                return Err(error);
            }
        }
    }

    /// Removes from a batch what must not be written.
    async fn leave_out(&mut self, batch: &mut Batch) -> Result<(), LoaderError> {
        if let Some(floor) = self.known.guard.retention_floor {
            match self.purpose {
                Purpose::Follow(_) | Purpose::ReplayDeadLetter | Purpose::LoadOffsets => {
                    floor::shed(batch, floor)
                }
                // They were loaded before, and deleted.
                Purpose::Backfill(_) => floor::leave_out(batch, floor),
            }
        }
        let erased = erase::erase(batch, &self.known.tombstones);
        erase::delete(&self.dead_letters, &erased).await?;
        metrics::record_erased(self.source, erased.documents);
        Ok(())
    }

    async fn plan(&mut self, batch: &Batch, trust: Trust) -> Result<Plan, LoaderError> {
        let Table::Readings(statements) = &self.table else {
            return Ok(Plan::default());
        };
        let rows = resolve::winners(&batch.readings);
        if trust == Trust::Nothing {
            return Ok(Plan {
                direct: Vec::new(),
                merge: rows,
            });
        }
        if matches!(self.purpose, Purpose::Backfill(_)) {
            // Newer rows exist: what counts is whether the written part has any.
            let found = readings::newest_until(&self.client, statements, &resolve::ends(&rows)).await?;
            let (direct, merge) = resolve::split(rows, |device_id| found.get(device_id).copied().flatten());
            return Ok(Plan { direct, merge });
        }
        let unseen = self.high_watermarks.unseen(&rows);
        if !unseen.is_empty() {
            for (device_id, newest) in readings::newest(&self.client, statements, &unseen).await? {
                self.high_watermarks.learn(device_id, newest);
            }
        }
        let (direct, merge) = resolve::split(rows, |device_id| self.high_watermarks.newest(device_id));
        Ok(Plan { direct, merge })
    }

    async fn transact(&mut self, batch: &Batch, plan: &Plan) -> Result<u64, LoaderError> {
        let pieces = Pieces::encode(&self.table, plan, batch.batch_rows());
        let tx = limits::begin(&mut self.client, "beginning a transaction").await?;
        let holding = async {
            match self.source {
                // Receipts belong to no person.
                SourceCollection::Receipts => Ok(()),
                SourceCollection::Stream(_) | SourceCollection::DeadLetters => self.known.hold(&tx).await,
            }
        };
        // Sent together, in this order.
        tokio::try_join!(biased; self.limits.set(&tx), holding)?;
        let touched = pieces.apply(&tx).await?;
        dead_letters::insert(&tx, &batch.dead_letters).await?;
        let accounts = self.purpose.accounts(batch);
        let moved = async {
            match &self.purpose {
                Purpose::Follow(checkpoint) => checkpoint.advance(&tx, &batch.progress).await,
                Purpose::Backfill(mark) => {
                    let figures = (batch.documents, touched.rows);
                    mark.advance(&tx, batch.progress.page_position.as_ref(), figures)
                        .await
                }
                Purpose::ReplayDeadLetter | Purpose::LoadOffsets => Ok(()),
            }
        };
        // Sent together, in this order.
        tokio::try_join!(
            biased;
            ops_tables::dirty_days(&tx, self.source, &touched.days),
            ops_tables::accounts(&tx, &accounts),
            moved
        )?;
        // From here the outcome may stay unknown: the next opening reads it from the checkpoint.
        tx.commit().await.map_err(LoaderError::statement("committing"))?;
        Ok(touched.rows)
    }

    fn committed(&mut self, batch: &Batch, plan: &Plan, began: Instant) {
        if let Purpose::Follow(checkpoint) = &mut self.purpose {
            checkpoint.committed();
        }
        self.high_watermarks.advance(&plan.direct);
        self.high_watermarks.advance(&plan.merge);
        let children: usize = batch.entries.iter().map(|entry| entry.children.len()).sum();
        let figures = metrics::BatchFigures {
            documents: batch.documents,
            direct: plan.direct.len(),
            merged: plan.merge.len(),
            whole: batch.entries.len() + batch.users.len() + children,
            bytes: batch.bytes,
        };
        metrics::record_batch(self.source, figures, began.elapsed());
        let own = batch
            .dead_letters
            .iter()
            .filter(|dead_letter| dead_letter.stage == Stage::Stored);
        metrics::record_dead_letters(self.source, own);
    }
}

async fn connect(timescale: &TimescaleConfig, application: &str) -> Result<Client, LoaderError> {
    pulseline_sql::open(timescale, application)
        .await
        .map_err(LoaderError::sql("connecting"))
}

impl Batch {
    fn batch_rows(&self) -> BatchRows<'_> {
        BatchRows {
            uploads: &self.readings,
            entries: &self.entries,
            users: &self.users,
        }
    }
}
