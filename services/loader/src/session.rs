//! Opens all collections at their durable positions, follows them, and reopens them after every outage.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use mongodb::Database;
use pulseline_runtime::config::TimescaleConfig;
use pulseline_runtime::health::Health;
use pulseline_runtime::retry::{self, Class, Classify};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::waits::Wait;

use crate::checkpoint::Claimed;
use crate::config::{DeadToken, LoaderConfig};
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::metrics::{self, Recovery};
use crate::resume::ResumePoint;
use crate::snapshot::Snapshot;
use crate::stream;
use crate::tasks::{Ended, Moved, Tasks};
use crate::write::{Expected, Opened, Term, Writer};

/// Recoveries from a lost position without progress after which the loader gives up.
const MOST_RECOVERIES: u32 = 3;

/// How long an opening waits for sessions that hold checkpoints; then the other collections continue without theirs.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// What loading needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) config: LoaderConfig,
    pub(crate) timescale: TimescaleConfig,
    pub(crate) database: Database,
    pub(crate) epoch: i64,
    /// The loader's own dead letters that return through their collection.
    pub(crate) expected: Expected,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}

impl Context {
    /// Opens a collection; waits at most `patience` for a session that holds its checkpoint.
    pub(crate) async fn open(
        &self,
        source: SourceCollection,
        patience: Duration,
    ) -> Result<Opened, LoaderError> {
        let term = Term {
            timescale: &self.timescale,
            database: &self.database,
            config: &self.config,
            epoch: self.epoch,
            expected: &self.expected,
        };
        Writer::open(term, source, patience).await
    }
}

/// State that survives an outage.
#[derive(Default)]
pub(crate) struct Memory {
    /// Recoveries from a lost position since the last progress.
    recoveries: HashMap<SourceCollection, u32>,
    /// Collections whose stored position is lost, and where they start over, where that is known.
    lost: HashMap<SourceCollection, Option<ResumePoint>>,
    /// Collections at whose position the stream was opened.
    start: Option<SourceCollection>,
    /// Collections whose position this opening moved.
    moved: Moved,
    /// Collections of which this opening has read and stored a part.
    begun: Moved,
    /// The wait from an outage until documents are read again.
    wait: Option<Wait>,
}

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
        let error = match ended {
            Ok(Ended::Stopped) => return Ok(()),
            Ok(Ended::Together) => continue,
            Ok(Ended::Lost { sources, reason }) => {
                for (source, position) in sources {
                    memory.recover(context.config.dead_token, source, position, &reason)?;
                }
                continue;
            }
            // After progress the durable positions are newer than the refused one: they are tried first.
            Err(error) if error.is_dead_token() && !has_progress => match memory.start {
                Some(source) => {
                    memory.recover(context.config.dead_token, source, None, &error.to_string())?;
                    continue;
                }
                None => return Err(error),
            },
            Err(error) if error.class() == Class::Transient || error.is_dead_token() => error,
            Err(error) => return Err(error),
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

/// What has to be done with a collection.
enum Verdict {
    /// It is loaded up to here: follow it.
    Loaded(ResumePoint),
    /// It has to be read, from the beginning or from here.
    Unread(Option<Snapshot>),
}

async fn open_all(context: &Context, memory: &Memory) -> Result<Openings, LoaderError> {
    let open = |source| async move {
        let opened = context.open(source, LOCK_PATIENCE).await?;
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

impl Memory {
    /// True when a position moved since the last call.
    fn take_progress(&mut self) -> bool {
        let moved = self.moved.take();
        self.recoveries.retain(|source, _| !moved.contains(source));
        // Their checkpoints store how far these snapshots are.
        let begun = self.begun.take();
        self.lost.retain(|source, _| !begun.contains(source));
        !moved.is_empty()
    }

    fn judge(&self, source: SourceCollection, claimed: Claimed) -> Verdict {
        match (self.lost.get(&source), claimed) {
            (Some(begins), _) => Verdict::Unread(begins.clone().map(Snapshot::new)),
            (
                None,
                Claimed {
                    snapshot: Some(begun),
                    ..
                },
            ) => Verdict::Unread(Some(begun)),
            (
                None,
                Claimed {
                    position: Some(position),
                    ..
                },
            ) => Verdict::Loaded(position),
            (None, Claimed { position: None, .. }) => Verdict::Unread(None),
        }
    }

    fn has_read(&mut self, source: SourceCollection) {
        self.lost.remove(&source);
        tracing::info!(
            collection = source.name(),
            "the collection is read and its position stored"
        );
    }

    /// Schedules another snapshot of a collection, where that is the policy.
    fn recover(
        &mut self,
        policy: DeadToken,
        source: SourceCollection,
        begins: Option<ResumePoint>,
        reason: &str,
    ) -> Result<(), LoaderError> {
        let collection = source.name();
        if policy == DeadToken::Fail {
            return Err(LoaderError::DeadToken {
                collection,
                reason: reason.to_owned(),
            });
        }
        let recoveries = self.recoveries.entry(source).or_default();
        *recoveries += 1;
        if *recoveries >= MOST_RECOVERIES {
            return Err(LoaderError::NoProgress {
                collection,
                recoveries: *recoveries,
            });
        }
        self.lost.insert(source, begins);
        metrics::record_recovery(source, Recovery::Resnapshot);
        tracing::warn!(
            collection,
            reason,
            "MongoDB no longer knows the position: the collection is read again"
        );
        Ok(())
    }
}
