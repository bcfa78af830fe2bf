//! Reloads documents: merges a range of days of one stream into raw while streaming continues.
//!
//! A backfill does not move positions or accounting: it repairs rows. It leaves correct readings untouched, so that only
//! days with changed readings are refreshed; it rewrites days, sessions and profiles as a whole.

mod chunks;
pub(crate) mod progress;

use std::ops::{Range, RangeInclusive};

use bson::{Bson, DateTime, Document, doc};
use futures_util::future::BoxFuture;
use pulseline_clients::mongo::{Collection, Database};
use pulseline_runtime::retry::{RetryError, retry_transient};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::pages::{Order, Pages, WINDOW_START};
use pulseline_schemas::{Owner, Stream};
use pulseline_sql::Client;
use pulseline_sql::floor::floor;
use pulseline_sql::periods::{DayNumber, date_of};
use uuid::Uuid;

use crate::config::LoaderConfig;
use crate::document::{DAY_MILLIS, SourceCollection};
use crate::error::LoaderError;
use crate::map::{TableMapping, table_mapping};
use crate::order_index;
use crate::reading::Reading;
use crate::service::{self, LoaderConnections};
use crate::write::{Purpose, opening};
pub use chunks::Chunk;
use progress::Mark;
pub use progress::Progress;

/// How many days before the range a session may begin and still reach into it: a session lasts a week at most.
const SESSION_DAYS: DayNumber = 8;

/// The range to reload.
#[derive(Clone, Debug)]
pub struct Backfill {
    /// The stream.
    pub stream: Stream,
    /// Only this device.
    pub device: Option<Uuid>,
    /// Local days that a document's window touches.
    pub days: Range<DayNumber>,
    /// The unit of progress: a finished chunk is not repeated after a stop.
    pub chunk: Chunk,
}

impl Backfill {
    /// Selects the documents of these days that no other chunk of this backfill reads.
    fn pages(&self, days: &Range<DayNumber>, documents: usize) -> Pages {
        let pages = Pages::new(Order::of(self.stream), documents);
        if self.stream.owner() == Owner::User {
            // Profiles have no days.
            return pages;
        }
        let is_first = days.start == self.days.start;
        let filter = self.filter(is_first);
        pages.matching(filter).starting(self.starts(days))
    }

    /// When the windows of a chunk start, in milliseconds.
    fn starts(&self, days: &Range<DayNumber>) -> RangeInclusive<i64> {
        let first = if days.start == self.days.start {
            days.start - SESSION_DAYS
        } else {
            days.start
        };
        i64::from(first) * DAY_MILLIS..=i64::from(days.end) * DAY_MILLIS - 1
    }

    /// Selects the device, and of windows that may end before the range those that do not.
    fn filter(&self, may_end_before: bool) -> Document {
        let mut filter = Document::new();
        if may_end_before {
            let start = at(i64::from(self.days.start) * DAY_MILLIS);
            filter.insert("ended_at", doc! { "$gte": start });
        }
        if let Some(device) = self.device {
            filter.insert("device_id", device.hyphenated().to_string());
        }
        filter
    }

    /// All documents of the range.
    fn all(&self) -> Document {
        if self.stream.owner() == Owner::User {
            return Document::new();
        }
        let starts = self.starts(&self.days);
        let mut filter = self.filter(true);
        filter.insert(
            WINDOW_START,
            doc! { "$gte": at(*starts.start()), "$lte": at(*starts.end()) },
        );
        filter
    }

    fn mark(&self) -> Mark {
        Mark::new(self.stream, self.device, self.days.clone())
    }

    /// The rest of the range from this day on.
    fn chunks(&self, next: DayNumber) -> Vec<Range<DayNumber>> {
        if self.stream.owner() == Owner::User {
            return vec![self.days.clone()];
        }
        chunks::of(&(next..self.days.end), self.chunk)
    }
}

/// Reloads a range. A stopped or killed backfill resumes when it is started again with the same range.
///
/// # Errors
/// An empty or deleted range, or a permanent failure.
pub fn backfill<'a>(
    mut job: Backfill,
    config: &'a LoaderConfig,
    connections: &'a LoaderConnections,
    shutdown: &'a Shutdown,
    tell: &'a (dyn Fn(&Progress) + Send + Sync),
) -> BoxFuture<'a, Result<Progress, LoaderError>> {
    Box::pin(async move {
        config.validate().map_err(LoaderError::Config)?;
        let database = service::open_database(&connections.mongo).await?;
        let client = connect(connections).await?;
        job.days = kept(&client, &job).await?;
        let documents_from = documents_from(&client, &job).await?;
        let run = Run {
            total: prepare(&database.collection(job.stream.collection()), &job).await?,
            job,
            config,
            connections,
            database: &database,
            shutdown,
            tell,
        };
        let ended = run.chunks(client).await;
        database.close().await;
        ended.map(|progress| Progress {
            documents_from,
            ..progress
        })
    })
}

/// A running backfill.
struct Run<'a> {
    job: Backfill,
    total: u64,
    config: &'a LoaderConfig,
    connections: &'a LoaderConnections,
    database: &'a Database,
    shutdown: &'a Shutdown,
    tell: &'a (dyn Fn(&Progress) + Send + Sync),
}

impl Run<'_> {
    async fn chunks(&self, client: Client) -> Result<Progress, LoaderError> {
        let mut progress = self.job.mark().begin(&client).await?;
        drop(client);
        progress.total = self.total;
        for days in self.job.chunks(progress.days.start) {
            progress.days = days;
            (self.tell)(&progress);
            let attempt = || self.chunk(&progress);
            match retry_transient(self.shutdown, "reloading a range", attempt).await {
                Ok(Some(done)) => progress = done,
                Ok(None) | Err(RetryError::Abandoned) => return Ok(progress),
                Err(RetryError::Failed(error)) => return Err(error),
            }
        }
        progress.is_finished = true;
        Ok(progress)
    }

    /// Loads the documents of one chunk; none when told to stop before its end.
    async fn chunk(&self, before: &Progress) -> Result<Option<Progress>, LoaderError> {
        let source = SourceCollection::Stream(self.job.stream);
        // An attempt that an outage ended may have moved the progress.
        let mark = self.job.mark();
        let mut done = mark.begin(&connect(self.connections).await?).await?;
        (done.total, done.days) = (before.total, before.days.clone());
        let purpose = Purpose::Backfill(self.job.mark());
        let timescale = &self.connections.timescale;
        let mut writer = opening::beside(timescale, self.database, source, purpose).await?;
        let pages = self.job.pages(&before.days, self.config.page_documents);
        let reading = Reading {
            collection: self.database.collection(self.job.stream.collection()),
            pages: pages.after(done.page_position.take()),
        };
        let ended = reading.load(&mut writer, self.config, self.shutdown, |written| {
            done.documents += written.documents as u64;
            done.changed += written.changed;
            (self.tell)(&done);
        });
        if !ended.await? {
            return Ok(None);
        }
        mark.done(&connect(self.connections).await?, done.days.end)
            .await?;
        Ok(Some(done))
    }
}

fn at(millis: i64) -> Bson {
    Bson::DateTime(DateTime::from_millis(millis))
}

async fn connect(connections: &LoaderConnections) -> Result<Client, LoaderError> {
    pulseline_sql::open(&connections.timescale, "pulseline-backfill")
        .await
        .map_err(LoaderError::sql("connecting"))
}

/// Limits readings to days at or above the floor: those below were deleted on purpose. Other streams have no floor.
async fn kept(client: &Client, job: &Backfill) -> Result<Range<DayNumber>, LoaderError> {
    let days = job.days.clone();
    if days.is_empty() {
        return Err(LoaderError::Config(
            "the last day of the range is before its first day".into(),
        ));
    }
    let floor = floor(client)
        .await
        .map_err(LoaderError::sql("reading the floor"))?;
    match floor.filter(|_| matches!(table_mapping(job.stream), TableMapping::Readings(_))) {
        Some(floor) if floor >= days.end => Err(LoaderError::Config(format!(
            "readings of days before {} are deleted (compactor.retain_days); choose later days",
            date_of(floor)
        ))),
        Some(floor) => Ok(days.start.max(floor)..days.end),
        None => Ok(days),
    }
}

/// The first day whose documents are all kept, where the range begins before it. Retention removes readings' documents alone.
async fn documents_from(client: &Client, job: &Backfill) -> Result<Option<DayNumber>, LoaderError> {
    if !matches!(table_mapping(job.stream), TableMapping::Readings(_)) {
        return Ok(None);
    }
    let floor = pulseline_sql::documents::floor(client)
        .await
        .map_err(LoaderError::sql("reading the floor of documents"))?;
    let floor = floor.filter(|floor| job.days.start < *floor);
    if let Some(floor) = floor {
        tracing::warn!(
            stream = job.stream.name(),
            "documents of days before {} are no longer kept (healer.retain_documents_days): nothing of these days can be repaired",
            date_of(floor)
        );
    }
    Ok(floor)
}

/// Ensures the index in whose order documents are read, and counts them.
async fn prepare(collection: &Collection, job: &Backfill) -> Result<u64, LoaderError> {
    order_index::ensure(collection, Order::of(job.stream)).await?;
    collection
        .count_documents(job.all())
        .await
        .map_err(LoaderError::mongo("counting documents"))
}
