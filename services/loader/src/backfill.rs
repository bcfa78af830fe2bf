//! Reading documents once more: a range of days of one stream, merged into raw while streaming goes on.
//!
//! It has no part in positions or accounting: it repairs rows. Readings that are right already stay untouched, so that only
//! days on which one changed are refreshed; days, sessions and profiles are written again with what belongs to them.

mod chunks;
mod progress;

use std::ops::{Range, RangeInclusive};

use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use futures_util::future::BoxFuture;
use mongodb::{Collection, Database};
use pulseline_runtime::retry::{RetryError, retry_transient};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::pages::{Order, PagePosition, Pages, WINDOW_START};
use pulseline_schemas::{Owner, Stream};
use pulseline_sql::Client;
use pulseline_sql::floor::floor;
use pulseline_sql::periods::{DayNumber, date_of};
use uuid::Uuid;

use crate::config::LoaderConfig;
use crate::error::LoaderError;
use crate::map::guard::DAY_MILLIS;
use crate::map::{SourceCollection, TableMapping, table_mapping};
use crate::order_index;
use crate::reading::Reading;
use crate::service::{self, LoaderConnections};
use crate::write::{Purpose, Writer};
pub use chunks::Chunk;
pub(crate) use progress::Mark;

/// A session may have begun so many days before the range that it reaches into: it lasts a week at most.
const SESSION_DAYS: DayNumber = 8;

/// What to load once more.
#[derive(Clone, Debug)]
pub struct Backfill {
    /// Which stream.
    pub stream: Stream,
    /// Of one device only.
    pub device: Option<Uuid>,
    /// Days on the wearers' wall clocks that a document's window touches.
    pub days: Range<DayNumber>,
    /// What is done at a time, and need not be done again when it is stopped.
    pub chunk: Chunk,
}

/// How far a backfill is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Documents that are there, about.
    pub total: u64,
    /// Documents that were read.
    pub documents: u64,
    /// Rows that were written: readings that are new or different, and whole rows that are not older.
    pub changed: u64,
    /// The days that are read now, or are left.
    pub days: Range<DayNumber>,
    /// After which document of these days it goes on.
    pub(crate) page_position: Option<PagePosition>,
    /// False when it was stopped before its end.
    pub is_finished: bool,
}

impl Backfill {
    /// Documents of these days, and of no other chunk of this backfill.
    fn pages(&self, days: &Range<DayNumber>, documents: usize) -> Pages {
        let pages = Pages::new(Order::of(self.stream), documents);
        if self.stream.owner() == Owner::User {
            // Profiles have no days.
            return pages;
        }
        pages.matching(self.filter()).starting(self.starts(days))
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

    /// Whose they are, and that their windows reach into the range.
    fn filter(&self) -> Document {
        let mut filter = doc! { "ended_at": { "$gte": at(i64::from(self.days.start) * DAY_MILLIS) } };
        if let Some(device) = self.device {
            filter.insert("device_id", device.hyphenated().to_string());
        }
        filter
    }

    /// Every document of it.
    fn all(&self) -> Document {
        if self.stream.owner() == Owner::User {
            return Document::new();
        }
        let starts = self.starts(&self.days);
        let mut filter = self.filter();
        filter.insert(
            WINDOW_START,
            doc! { "$gte": at(*starts.start()), "$lte": at(*starts.end()) },
        );
        filter
    }

    /// What is left from this day on.
    fn chunks(&self, next: DayNumber) -> Vec<Range<DayNumber>> {
        if self.stream.owner() == Owner::User {
            return vec![self.days.clone()];
        }
        chunks::of(&(next..self.days.end), self.chunk)
    }
}

/// Loads a range once more. Stopped or killed, it goes on where it was when it is started again with the same range.
///
/// # Errors
/// A range that is empty or deleted, or what cannot be waited out.
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
        // Without it the driver's own tasks meet the end of the runtime and panic.
        database.client().clone().shutdown().immediate(true).await;
        ended
    })
}

/// A backfill at work.
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
        let mut progress = progress::begin(&client, &self.job).await?;
        drop(client);
        progress.total = self.total;
        for days in self.job.chunks(progress.days.start) {
            progress.days = days;
            (self.tell)(&progress);
            let attempt = || self.chunk(&progress);
            match retry_transient(self.shutdown, "loading a range once more", attempt).await {
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
        let dead_letters = self.database.collection(SourceCollection::DeadLetters.name());
        // How far it is may have moved since, in an attempt that an outage ended.
        let mut done = progress::begin(&connect(self.connections).await?, &self.job).await?;
        (done.total, done.days) = (before.total, before.days.clone());
        let purpose = Purpose::Backfill(Mark::of(&self.job));
        let mut writer = Writer::beside(&self.connections.timescale, source, purpose, dead_letters).await?;
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
        progress::done(writer.client(), &self.job, &done).await?;
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

/// Of readings, the days at or above the floor: what lies below was deleted on purpose. Of the rest nothing ever is.
async fn kept(client: &Client, job: &Backfill) -> Result<Range<DayNumber>, LoaderError> {
    let days = job.days.clone();
    if days.is_empty() {
        return Err(LoaderError::Config("the last day is before the first".into()));
    }
    let floor = floor(client)
        .await
        .map_err(LoaderError::sql("reading the floor"))?;
    match floor.filter(|_| matches!(table_mapping(job.stream), TableMapping::Readings(_))) {
        Some(floor) if floor >= days.end => Err(LoaderError::Config(format!(
            "readings of days before {} are deleted (compactor.retain_days)",
            date_of(floor)
        ))),
        Some(floor) => Ok(days.start.max(floor)..days.end),
        None => Ok(days),
    }
}

/// Makes sure of the index in whose order documents are read, and counts them.
async fn prepare(collection: &Collection<RawDocumentBuf>, job: &Backfill) -> Result<u64, LoaderError> {
    order_index::ensure(collection, Order::of(job.stream)).await?;
    collection
        .count_documents(job.all())
        .await
        .map_err(LoaderError::mongo("counting documents"))
}
