//! One collection, from its durable position on: opened, followed, and opened again after every outage.

use std::time::Duration;

use bson::{RawDocumentBuf, doc};
use mongodb::Collection;
use mongodb::change_stream::event::ResumeToken;
use pulseline_runtime::retry::{self, Class, Classify};
use pulseline_runtime::shutdown::Shutdown;
use tokio::task::JoinHandle;

use crate::batch::Progress;
use crate::config::{DeadToken, LoaderConfig};
use crate::drain;
use crate::error::LoaderError;
use crate::map::Source;
use crate::metrics::{self, Recovery};
use crate::readiness::Readiness;
use crate::snapshot::{self, Snapshot};
use crate::tail::{self, Feed};
use crate::write::Writer;

/// Recoveries from a dead position without progress after which the loader gives up.
const MOST_RECOVERIES: u32 = 3;

/// What every collection's task needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) config: LoaderConfig,
    pub(crate) timescale: pulseline_runtime::config::TimescaleConfig,
    pub(crate) database: mongodb::Database,
    pub(crate) epoch: i64,
    pub(crate) shutdown: Shutdown,
    pub(crate) readiness: Readiness,
}

impl Context {
    fn collection(&self, source: Source) -> Collection<RawDocumentBuf> {
        self.database.collection(source.name())
    }
}

/// What survives an outage.
#[derive(Default)]
struct Memory {
    /// Recoveries from a dead position since the last progress.
    recoveries: u32,
    /// True while the stored token is known to be dead.
    is_token_dead: bool,
    /// A snapshot that has begun.
    snapshot: Option<Snapshot>,
    /// True once this opening has brought the position forward.
    has_progress: bool,
}

/// Loads a collection until told to stop.
pub(crate) async fn load(context: Context, source: Source) -> Result<(), LoaderError> {
    let mut memory = Memory::default();
    let mut pauses = retry::pauses();
    loop {
        memory.has_progress = false;
        let ended = tokio::select! {
            biased;
            ended = session(&context, source, &mut memory) => ended,
            () = context.shutdown.abandoned() => return Err(LoaderError::Abandoned),
        };
        context.readiness.set(source, false);
        let error = match ended {
            Ok(()) => return Ok(()),
            Err(error) if error.is_dead_token() => {
                recover(&context, source, &mut memory, &error)?;
                continue;
            }
            Err(error) if error.class() == Class::Transient => error,
            Err(error) => return Err(error),
        };
        if context.shutdown.is_stopping() {
            // What was read is still in MongoDB, after the durable position.
            tracing::warn!(collection = source.name(), %error, "stopped during an outage");
            return Ok(());
        }
        if memory.has_progress {
            pauses = retry::pauses();
        }
        metrics::record_recovery(source, Recovery::Outage);
        let pause = pauses
            .next()
            .unwrap_or(Duration::from_millis(retry::BACKOFF_MAX_MS));
        tracing::warn!(
            collection = source.name(), %error, retry_in_ms = pause.as_millis(),
            "outage: going on from the durable position"
        );
        context.shutdown.sleep(pause).await;
    }
}

fn recover(
    context: &Context,
    source: Source,
    memory: &mut Memory,
    error: &LoaderError,
) -> Result<(), LoaderError> {
    let collection = source.name();
    if context.config.dead_token == DeadToken::Fail {
        return Err(LoaderError::DeadToken {
            collection,
            reason: error.to_string(),
        });
    }
    memory.recoveries += 1;
    if memory.recoveries >= MOST_RECOVERIES {
        return Err(LoaderError::NoProgress {
            collection,
            recoveries: memory.recoveries,
        });
    }
    memory.is_token_dead = true;
    memory.snapshot = None;
    metrics::record_recovery(source, Recovery::Resnapshot);
    tracing::warn!(collection, %error, "the position is gone: the collection is read again");
    Ok(())
}

/// One opening of a collection: takes the checkpoint over, reads a snapshot where there is no position, follows.
async fn session(context: &Context, source: Source, memory: &mut Memory) -> Result<(), LoaderError> {
    let letters = context.collection(Source::DeadLetters);
    let frontier = context.config.frontier_devices;
    let opened = Writer::open(&context.timescale, source, context.epoch, frontier, letters);
    let (mut writer, stored) = opened.await?;
    let token = match stored {
        Some(token) if !memory.is_token_dead => token,
        _ => match take_snapshot(context, source, memory, &mut writer).await? {
            Some(token) => token,
            None => return Ok(()),
        },
    };
    let stream = tail::open(&context.collection(source), Some(token), &context.config).await?;
    context.readiness.set(source, true);
    tracing::info!(collection = source.name(), "following the change stream");
    let (feed, messages) = Feed::new(source, &context.config, context.shutdown.clone());
    let stop = feed.stop_token();
    let reader = tokio::spawn(tail::follow(stream, feed));
    let drained = drain::drain(&mut writer, messages, &context.config, |_| {
        memory.has_progress = true;
        memory.recoveries = 0;
    });
    let drained = drained.await;
    stop.cancel();
    join(reader, drained).await
}

/// Reads the whole collection; gives the position to follow it from, or none when told to stop.
async fn take_snapshot(
    context: &Context,
    source: Source,
    memory: &mut Memory,
    writer: &mut Writer,
) -> Result<Option<ResumeToken>, LoaderError> {
    let collection = context.collection(source);
    let snapshot = match memory.snapshot.take() {
        Some(begun) => begun,
        None => {
            let token = tail::present(source, &collection, &context.config).await?;
            tracing::info!(
                collection = source.name(),
                "no position yet: reading the collection first"
            );
            Snapshot { token, after: None }
        }
    };
    let token = snapshot.token.clone();
    let (feed, messages) = Feed::new(source, &context.config, context.shutdown.clone());
    let stop = feed.stop_token();
    let beyond = snapshot::beyond(snapshot.after.clone());
    let reader = tokio::spawn(snapshot::scan(collection, beyond, doc! { "_id": 1 }, feed));
    let begun = memory.snapshot.insert(snapshot);
    let drained = drain::drain(writer, messages, &context.config, |written| {
        begun.after = written.id.or(begun.after.take());
    });
    let drained = drained.await;
    stop.cancel();
    if !join(reader, drained).await? {
        return Ok(None);
    }
    writer
        .save(&Progress {
            token: Some(token.clone()),
            ..Progress::default()
        })
        .await?;
    memory.snapshot = None;
    memory.is_token_dead = false;
    tracing::info!(
        collection = source.name(),
        "the collection is read, its position is stored"
    );
    Ok(Some(token))
}

/// Waits until the reader has ended by itself. The writer's error comes first: the reader's may only follow from it.
pub(crate) async fn join<T>(
    reader: JoinHandle<Result<T, LoaderError>>,
    drained: Result<(), LoaderError>,
) -> Result<T, LoaderError> {
    let read = reader
        .await
        .map_err(|error| LoaderError::Task(error.to_string()))?;
    drained?;
    read
}
