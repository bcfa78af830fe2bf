//! Holes in the accounting, mended from what is still there (A-3).
//!
//! ```text
//!  Kafka's ends, the books ──▶ holes that outlive the wait ──▶ MongoDB by position ──▶ loader: rows and books
//!                                                                  │ nothing there
//!                                                                  ▼ stays a hole, and is told
//! ```

mod error;

use std::time::Duration;

use pulseline_auditor::Hole;
use pulseline_loader::LoaderConfig;
use pulseline_loader::mend::{Mender, Offsets};
use pulseline_runtime::shutdown::Shutdown;
use serde::Serialize;
use tokio_postgres::Client;

pub use error::HealerError;

/// What is not accounted for of a range.
const LEFT: &str = "select (int8multirange(int8range($4::bigint, $5::bigint)) - coalesce((select offsets from ops.accounted_offsets \
    where topic = $1 and generation = $2 and partition = $3), '{}'))::text";

/// What became of a hole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Healed {
    /// The hole.
    pub hole: Hole,
    /// Documents that MongoDB has at its offsets.
    pub documents: u64,
    /// Offsets that are nowhere, as `{[3,5)}`; none when all of it is mended.
    pub left: Option<String>,
}

/// What healing found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Every hole there was.
    pub holes: Vec<Healed>,
    /// Offsets that are still on their way: neither a loss nor mended.
    pub in_flight: i64,
}

impl Report {
    /// True when nothing is lost any more.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.holes.iter().all(|healed| healed.left.is_none())
    }
}

/// Where to look and where to load.
pub struct Healer<'a> {
    /// The stores, as `verify` asks them.
    pub audited: &'a pulseline_auditor::Connections,
    /// Batches of what is loaded.
    pub loader: &'a LoaderConfig,
    /// Ends the wait, and the work between two holes.
    pub shutdown: &'a Shutdown,
}

impl Healer<'_> {
    /// Finds the holes, waiting at most `grace` for what is still on its way.
    ///
    /// # Errors
    /// A store that cannot be asked.
    pub async fn find(&self, grace: Duration) -> Result<(Vec<Hole>, i64), HealerError> {
        Ok(pulseline_auditor::holes(self.audited, grace, self.shutdown).await?)
    }

    /// Loads what MongoDB has of these holes, one after the other; told to stop, the rest stays for another time.
    ///
    /// # Errors
    /// What the stores say; holes before that are mended.
    pub async fn mend(
        &self,
        holes: Vec<Hole>,
        tell: &mut (dyn FnMut(&Healed) + Send),
    ) -> Result<Vec<Healed>, HealerError> {
        let connections = pulseline_loader::Connections {
            mongo: self.audited.mongo.clone(),
            timescale: self.audited.timescale.clone(),
        };
        let client = pulseline_sql::open(&self.audited.timescale, "pulseline-healer").await?;
        let mender = Mender::open(&connections, self.loader).await?;
        let mut mended = Vec::new();
        let mut ended = Ok(());
        for hole in holes {
            if self.shutdown.is_stopping() {
                break;
            }
            match self.mend_one(&client, &mender, hole).await {
                Ok(healed) => {
                    tell(&healed);
                    mended.push(healed);
                }
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            }
        }
        mender.close().await;
        ended.map(|()| mended)
    }

    async fn mend_one(&self, client: &Client, mender: &Mender, hole: Hole) -> Result<Healed, HealerError> {
        let at = Offsets {
            topic: hole.topic.clone(),
            generation: hole.generation,
            partition: hole.partition,
            offsets: hole.offsets.clone(),
        };
        let documents = mender.load(&at, self.shutdown).await?;
        let (from, to) = (hole.offsets.start, hole.offsets.end);
        let row = client
            .query_one(
                LEFT,
                &[&hole.topic, &hole.generation, &hole.partition, &from, &to],
            )
            .await?;
        let left: String = row.get(0);
        Ok(Healed {
            hole,
            documents,
            left: (left != "{}").then_some(left),
        })
    }
}
