//! Finds holes, and repairs them one by one.

use std::ops::Range;
use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_auditor::Hole;
use pulseline_loader::LoaderConfig;
use pulseline_loader::offset_loader::{OffsetLoader, Offsets};
use pulseline_runtime::config::RegistryConfig;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_sink::SinkConfig;
use pulseline_sink::restore::Restorer;
use pulseline_sql::{Client, GenericClient};
use serde::Serialize;

use crate::healer::error::HealerError;

/// The offsets of a range that are not accounted for.
const LEFT: &str = "select lower(r), upper(r) from unnest(int8multirange(int8range($4::bigint, $5::bigint)) - \
    coalesce((select offsets from ops.accounted_offsets where topic = $1 and generation = $2 and partition = $3), '{}')) as r";

/// Whether documents of these offsets were removed for their age.
const REMOVED: &str = "select exists (select from ops.removed_offsets where topic = $1 and generation = $2 and partition = $3 \
    and offsets && int8range($4::bigint, $5::bigint))";

/// The result of repairing a hole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Healed {
    /// The hole.
    pub hole: Hole,
    /// Documents that MongoDB has at its offsets.
    pub documents: u64,
    /// Messages that MongoDB lacked, and Kafka still had.
    pub messages: u64,
    /// Offsets that were found in no store, as `[3, 5)`; none when all are repaired.
    pub left: Option<String>,
    /// True when documents of some of these were removed for their age.
    pub are_removed: bool,
    /// The same, as ranges.
    #[serde(skip)]
    pub left_offsets: Vec<Range<i64>>,
}

/// The result of healing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HealReport {
    /// Every hole found.
    pub holes: Vec<Healed>,
    /// Offsets in flight: neither lost nor repaired.
    pub in_flight: i64,
}

impl HealReport {
    /// True when nothing is lost any more.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.holes.iter().all(|healed| healed.left.is_none())
    }
}

/// The stores, and how they are read.
#[derive(Clone)]
pub struct Healer {
    /// The stores, as `verify` reads them.
    pub audited: pulseline_auditor::AuditorConnections,
    /// The registry, for messages that are read from Kafka again.
    pub registry: RegistryConfig,
    /// How Kafka is read.
    pub sink: SinkConfig,
    /// Batches of the loader.
    pub loader: LoaderConfig,
    /// Ends the wait, and the work between two holes.
    pub shutdown: Shutdown,
}

/// The readers of lost offsets: opened together, closed together.
struct Readers {
    client: Client,
    offset_loader: OffsetLoader,
    restorer: Restorer,
}

impl Healer {
    /// Finds the holes, waiting at most `grace` for messages in flight.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn find(&self, grace: Duration) -> BoxFuture<'_, Result<(Vec<Hole>, i64), HealerError>> {
        Box::pin(async move { Ok(pulseline_auditor::holes(&self.audited, grace, &self.shutdown).await?) })
    }

    /// Repairs these holes one by one; a stop leaves the rest for later.
    ///
    /// # Errors
    /// Errors of the stores; earlier holes are repaired.
    pub fn repair<'a>(
        &'a self,
        holes: Vec<Hole>,
        tell: &'a mut (dyn FnMut(&Healed) + Send),
    ) -> BoxFuture<'a, Result<Vec<Healed>, HealerError>> {
        Box::pin(async move {
            let readers = self.open().await?;
            let mut repaired = Vec::new();
            let mut ended = Ok(());
            for hole in holes {
                if self.shutdown.is_stopping() {
                    break;
                }
                match self.repair_one(&readers, hole).await {
                    Ok(healed) => {
                        tell(&healed);
                        repaired.push(healed);
                    }
                    Err(error) => {
                        ended = Err(error);
                        break;
                    }
                }
            }
            readers.offset_loader.close().await;
            readers.restorer.close().await;
            ended.map(|()| repaired)
        })
    }

    async fn open(&self) -> Result<Readers, HealerError> {
        let loading = pulseline_loader::LoaderConnections {
            mongo: self.audited.mongo.clone(),
            timescale: self.audited.timescale.clone(),
        };
        let storing = pulseline_sink::SinkConnections {
            kafka: self.audited.kafka.clone(),
            registry: self.registry.clone(),
            mongo: self.audited.mongo.clone(),
        };
        Ok(Readers {
            client: pulseline_sql::open(&self.audited.timescale, "pulseline-healer").await?,
            offset_loader: OffsetLoader::open(&loading, &self.loader).await?,
            restorer: Restorer::open(&self.sink, &storing, &self.shutdown).await?,
        })
    }

    async fn repair_one(&self, readers: &Readers, hole: Hole) -> Result<Healed, HealerError> {
        let at = |offsets: Range<i64>| Offsets {
            topic: hole.topic.clone(),
            incarnation: hole.incarnation,
            partition: hole.partition,
            offsets,
        };
        let documents = readers
            .offset_loader
            .load(&at(hole.offsets.clone()), &self.shutdown)
            .await?;
        let mut messages = 0;
        for missing in left(&readers.client, &hole).await? {
            let of = (hole.topic.as_str(), hole.incarnation, hole.partition);
            messages += readers.restorer.restore(of, missing.clone()).await?;
            readers.offset_loader.load(&at(missing), &self.shutdown).await?;
        }
        let left = left(&readers.client, &hole).await?;
        let named: Vec<String> = left
            .iter()
            .map(|offsets| format!("[{}, {})", offsets.start, offsets.end))
            .collect();
        let mut are_removed = false;
        for offsets in &left {
            are_removed |= is_removed(&readers.client, &hole, offsets).await?;
        }
        Ok(Healed {
            hole,
            documents,
            messages,
            are_removed,
            left: (!named.is_empty()).then(|| named.join(" ")),
            left_offsets: left,
        })
    }
}

async fn left(client: &Client, hole: &Hole) -> Result<Vec<Range<i64>>, HealerError> {
    let (from, to) = (hole.offsets.start, hole.offsets.end);
    let rows = client
        .query(
            LEFT,
            &[&hole.topic, &hole.incarnation, &hole.partition, &from, &to],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)..row.get(1)).collect())
}

async fn is_removed(client: &Client, hole: &Hole, offsets: &Range<i64>) -> Result<bool, HealerError> {
    let key = (&hole.topic, &hole.incarnation, &hole.partition);
    let row = client
        .query_one(REMOVED, &[key.0, key.1, key.2, &offsets.start, &offsets.end])
        .await?;
    Ok(row.get(0))
}
