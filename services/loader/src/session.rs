//! Opens all collections at their durable positions, follows them, and reopens them after every outage.

use std::time::Duration;

use futures_util::future::try_join_all;
use pulseline_runtime::retry::{self, Classify};

use crate::context::Context;
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::memory::{Memory, Next, Verdict};
use crate::metrics::{self, Recovery};
use crate::resume::ResumePoint;
use crate::snapshot::Snapshot;
use crate::stream;
use crate::tasks::{Ended, Tasks};
use crate::write::Writer;
use crate::write::opening::{self, Opened};

/// How long an opening waits for sessions that hold checkpoints; then the other collections continue without theirs.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Loads until told to stop.
pub(crate) async fn load(context: &Context) -> Result<(), LoaderError> {
    let mut memory = Memory::default();
    let mut pauses = retry::pauses();
    while !context.shutdown.is_stopping() {
        let ended = tokio::select! {
            biased;
            ended = session(context, &mut memory) => ended,
            () = context.shutdown.abandoned() => return Err(LoaderError::Abandoned),
        };
        context.health.set_ready(false);
        let has_progress = memory.take_progress();
        let error = match memory.next(ended, has_progress, context.config.dead_token)? {
            Next::Stop => return Ok(()),
            Next::Reopen => continue,
            Next::Wait(error) => error,
        };
        if has_progress {
            pauses = retry::pauses();
        }
        let pause = pauses.next();
        let pause = pause.unwrap_or(Duration::from_millis(retry::BACKOFF_MAX_MS));
        // Everything that was read is still in MongoDB, after the durable positions.
        let wait = || context.shutdown.waits().prepare("loading");
        memory.wait.get_or_insert_with(wait).failed(error.hop(), &error);
        SourceCollection::all().for_each(|source| metrics::record_recovery(source, Recovery::Outage));
        context.shutdown.sleep(pause).await;
    }
    Ok(())
}

/// One opening: takes the checkpoints over, follows loaded collections, and reads the others beside them.
async fn session(context: &Context, memory: &mut Memory) -> Result<Ended, LoaderError> {
    let Openings {
        followed,
        unread,
        locked,
    } = open_all(context, memory).await?;
    let start = followed
        .iter()
        .min_by_key(|(_, position)| position.stream_position)
        .map(|(writer, position)| (writer.source(), position.clone()));
    memory.start = start.as_ref().map(|(source, _)| *source);
    let mut tasks = Tasks::new(context.clone(), memory.moved.clone(), memory.begun.clone());
    let from = match start {
        Some((_, position)) => {
            let token = Some(position.token.clone());
            let stream = stream::open(&context.database, token, &context.config).await?;
            tasks.follow(stream, position.stream_position, followed);
            position
        }
        None => stream::present(&context.database, &context.config).await?,
    };
    if let Some(wait) = &mut memory.wait {
        wait.over();
    }
    if unread.is_empty() && locked.is_empty() {
        context.health.set_ready(true);
        tracing::info!("following the change stream");
    }
    for (writer, snapshot) in unread {
        let (collection, is_begun) = (writer.source().name(), snapshot.is_some());
        tracing::info!(
            collection,
            is_begun,
            "no position yet: reading the collection first"
        );
        tasks.read(writer, snapshot.unwrap_or_else(|| Snapshot::new(from.clone())));
    }
    for source in locked {
        tracing::warn!(
            collection = source.name(),
            "another session holds the checkpoint: it is waited for, the other collections go on"
        );
        tasks.wait_for(source);
    }
    tasks.ended(|source| memory.has_read(source)).await
}

/// The collections, by what has to be done with each.
#[derive(Default)]
struct Openings {
    followed: Vec<(Writer, ResumePoint)>,
    /// With how far their snapshots are, where they have begun.
    unread: Vec<(Writer, Option<Snapshot>)>,
    /// Other sessions hold their checkpoints.
    locked: Vec<SourceCollection>,
}

async fn open_all(context: &Context, memory: &Memory) -> Result<Openings, LoaderError> {
    let open = |source| async move {
        let opened = opening::follow(context, source, LOCK_PATIENCE).await?;
        Ok::<_, LoaderError>((source, opened))
    };
    let mut openings = Openings::default();
    for (source, opened) in try_join_all(SourceCollection::all().map(open)).await? {
        match opened {
            Opened::Ours(writer, claimed) => match memory.judge(source, *claimed) {
                Verdict::Loaded(position) => openings.followed.push((*writer, position)),
                Verdict::Unread(snapshot) => openings.unread.push((*writer, snapshot)),
            },
            Opened::Locked => openings.locked.push(source),
        }
    }
    Ok(openings)
}
