//! The tasks of one opening: the reader of the change stream, a writer per collection, snapshots beside them.
//!
//! A finished snapshot is followed soon by a separate stream, so that the other collections need not go back to where it
//! began. Once every collection is read and caught up, all are reopened with one stream.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pulseline_clients::mongo::ChangeStream;
use pulseline_runtime::shutdown::Shutdown;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::byte_bounded::ByteBoundedSender;
use crate::context::Context;
use crate::document::SourceCollection;
use crate::drain;
use crate::error::LoaderError;
use crate::resume::{ResumePoint, StreamPosition};
use crate::snapshot::Snapshot;
use crate::stream::{self, Followed, Route};
use crate::take_snapshot;
use crate::write::Writer;
use crate::write::opening::{self, Opened};

/// Longest that the reader may stall: the time that the slowest writer may take for a batch.
const READING_PATIENCE: Duration = Duration::from_secs(1_800);

/// How long a finished snapshot waits for others, to be followed together.
const JOIN_WAIT: Duration = Duration::from_secs(1);

/// How an opening ended without an error.
pub(crate) enum Ended {
    /// It was told to stop.
    Stopped,
    /// Every collection is read and caught up, or one more can be opened: all are reopened, to be followed together.
    Together,
    /// Positions are lost, or collections start over at new ones.
    Lost {
        sources: Vec<(SourceCollection, Option<ResumePoint>)>,
        reason: String,
    },
}

impl Ended {
    /// What a stream's end means.
    pub(crate) fn after(followed: Followed) -> Self {
        match followed {
            Followed::Stopped => Self::Stopped,
            Followed::Replaced(source, position) => Self::Lost {
                sources: vec![(source, Some(position))],
                reason: "it was dropped or renamed".into(),
            },
            Followed::Dropped => Self::Lost {
                sources: SourceCollection::all().map(|source| (source, None)).collect(),
                reason: "the database was dropped".into(),
            },
        }
    }
}

/// Collections to which something happened, for example a position that moved.
#[derive(Clone, Default)]
pub(crate) struct Moved(Arc<Mutex<HashSet<SourceCollection>>>);

impl Moved {
    pub(crate) fn insert(&self, source: SourceCollection) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(source);
    }

    /// Those since the last call.
    pub(crate) fn take(&self) -> HashSet<SourceCollection> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tasks that end together.
pub(crate) struct Tasks {
    context: Context,
    moved: Moved,
    begun: Moved,
    /// Ends all of them, and only them.
    shutdown: Shutdown,
    running: JoinSet<Result<Done, LoaderError>>,
    /// Collections that are not read yet.
    unread: usize,
    /// Collections that are read, and not followed yet.
    read: Vec<(Writer, ResumePoint)>,
    /// When they are followed at the latest.
    join_at: Instant,
    /// Streams of collections that this opening has read: opened, and of these caught up.
    joined: (usize, usize),
}

/// The result of a task.
enum Done {
    Followed(Followed),
    /// A collection is read, and waits to be followed.
    Read(Box<(Writer, ResumePoint)>),
    /// No other session holds the checkpoint any more.
    Released(SourceCollection),
    /// A stream was opened beside the first one.
    Joined,
    /// The stream has caught up.
    CaughtUp,
    /// A stream beside the first one failed: reopening all shows which position is at fault.
    Unfollowed(LoaderError),
    Stopped,
}

impl Tasks {
    pub(crate) fn new(context: Context, moved: Moved, begun: Moved) -> Self {
        Self {
            shutdown: context.shutdown.child(),
            context,
            moved,
            begun,
            running: JoinSet::new(),
            unread: 0,
            read: Vec::new(),
            join_at: Instant::now(),
            joined: (0, 0),
        }
    }

    /// Follows a stream that was opened at a position, for collections that are loaded up to theirs.
    pub(crate) fn follow(
        &mut self,
        stream: ChangeStream,
        stream_position: StreamPosition,
        collections: Vec<(Writer, ResumePoint)>,
    ) {
        let routes = self.routes(collections);
        let reader = self.reader(stream, stream_position, routes, None);
        self.running
            .spawn(async move { reader.await.map_err(died)?.map(Done::Followed) });
    }

    /// Reads a stream, under a watchdog. A separate task: cancelled writers must not drop a driver future halfway.
    fn reader(
        &self,
        stream: ChangeStream,
        stream_position: StreamPosition,
        routes: Vec<Route>,
        caught_up: Option<oneshot::Sender<()>>,
    ) -> JoinHandle<Result<Followed, LoaderError>> {
        let heart = self.context.health.watch("change_stream", READING_PATIENCE);
        tokio::spawn(stream::follow(stream, stream_position, routes, caught_up, heart))
    }

    /// Starts a writer for each collection, and returns the channels to them.
    fn routes(&mut self, collections: Vec<(Writer, ResumePoint)>) -> Vec<Route> {
        let mut routes = Vec::with_capacity(collections.len());
        for (mut writer, position) in collections {
            let (source, config) = (writer.source(), self.context.config.clone());
            let (sender, messages) = ByteBoundedSender::new(source, &config, &self.shutdown);
            routes.push(Route {
                sender,
                loaded: position.stream_position,
            });
            let moved = self.moved.clone();
            self.running.spawn(async move {
                drain::drain(&mut writer, messages, &config, |_| moved.insert(source)).await?;
                Ok(Done::Stopped)
            });
        }
        routes
    }

    /// Reads a collection that has no position.
    pub(crate) fn read(&mut self, mut writer: Writer, snapshot: Snapshot) {
        self.unread += 1;
        let (context, shutdown) = (self.context.clone(), self.shutdown.clone());
        let (begun, source) = (self.begun.clone(), writer.source());
        self.running.spawn(async move {
            let committed = || begun.insert(source);
            let taken = take_snapshot::take(snapshot, &mut writer, &context, &shutdown, committed);
            Ok(match taken.await? {
                Some(position) => Done::Read(Box::new((writer, position))),
                None => Done::Stopped,
            })
        });
    }

    /// Waits until no other session holds the checkpoint of a collection.
    pub(crate) fn wait_for(&mut self, source: SourceCollection) {
        let (context, shutdown) = (self.context.clone(), self.shutdown.clone());
        let released = async move {
            let patience = context.config.lease_ttl();
            while let Opened::Locked = opening::follow(&context, source, patience).await? {}
            Ok::<_, LoaderError>(Done::Released(source))
        };
        self.running.spawn(async move {
            tokio::select! {
                biased;
                () = shutdown.stopping() => Ok(Done::Stopped),
                released = released => released,
            }
        });
    }

    /// Waits for all tasks: the first one that ends with a reason ends the others, each after its own drain.
    pub(crate) async fn ended(
        mut self,
        mut has_read: impl FnMut(SourceCollection),
    ) -> Result<Ended, LoaderError> {
        let mut ended = Ok(Ended::Stopped);
        loop {
            let done = tokio::select! {
                biased;
                done = self.running.join_next() => done,
                () = tokio::time::sleep_until(self.join_at), if self.is_joining() => Some(Ok(self.join().await)),
            };
            let Some(done) = done else { return ended };
            let done = done.unwrap_or_else(|error| Err(died(error)));
            if let Ok(Done::Read(collection)) = &done {
                has_read(collection.0.source());
            }
            let Some(reason) = self.judge(done) else { continue };
            self.shutdown.stop();
            // An error of another task takes precedence over the planned next step.
            let is_weaker = matches!(ended, Ok(Ended::Together)) && reason.is_err();
            if is_weaker || matches!(ended, Ok(Ended::Stopped)) {
                ended = reason;
            }
        }
    }

    /// Why everything ends now; none when it continues.
    fn judge(&mut self, done: Result<Done, LoaderError>) -> Option<Result<Ended, LoaderError>> {
        match done {
            Ok(Done::Read(collection)) => {
                if self.read.is_empty() {
                    self.join_at = Instant::now() + JOIN_WAIT;
                }
                self.read.push(*collection);
                self.unread -= 1;
            }
            Ok(Done::Released(source)) => {
                tracing::info!(
                    collection = source.name(),
                    "no other session holds the checkpoint any more"
                );
                return Some(Ok(Ended::Together));
            }
            Ok(Done::Joined) => {}
            Ok(Done::CaughtUp) => self.joined.1 += 1,
            Ok(Done::Followed(followed)) => return Some(Ok(Ended::after(followed))),
            Ok(Done::Unfollowed(error)) => {
                tracing::warn!(%error, "collections that were read cannot be followed: reopening all");
                return Some(Ok(Ended::Together));
            }
            Ok(Done::Stopped) => return Some(Ok(Ended::Stopped)),
            Err(error) => return Some(Err(error)),
        }
        let is_due = self.joined == (0, 0) || self.read.is_empty();
        (self.unread == 0 && self.joined.0 == self.joined.1 && is_due).then_some(Ok(Ended::Together))
    }

    fn is_joining(&self) -> bool {
        !self.read.is_empty() && !self.shutdown.is_stopping()
    }

    /// Follows what is read, beside what is followed already.
    async fn join(&mut self) -> Result<Done, LoaderError> {
        let collections = std::mem::take(&mut self.read);
        let least = collections.iter().map(|(_, position)| position);
        let Some(from) = least.min_by_key(|position| position.stream_position).cloned() else {
            return Ok(Done::Joined);
        };
        let names: Vec<&str> = collections
            .iter()
            .map(|(writer, _)| writer.source().name())
            .collect();
        let unread = self.unread;
        tracing::info!(
            ?names,
            unread,
            "following what is read, while the rest is still being read"
        );
        let opened = stream::open(&self.context.database, Some(from.token), &self.context.config).await;
        let stream = match opened {
            Err(error) if error.is_dead_token() => return Ok(Done::Unfollowed(error)),
            opened => opened?,
        };
        let routes = self.routes(collections);
        let (caught_up, has_caught_up) = oneshot::channel();
        let reader = self.reader(stream, from.stream_position, routes, Some(caught_up));
        self.running.spawn(async move {
            match reader.await.map_err(died)? {
                Err(error) if error.is_dead_token() => Ok(Done::Unfollowed(error)),
                followed => followed.map(Done::Followed),
            }
        });
        self.joined.0 += 1;
        self.running.spawn(async move {
            // If the stream ends before, it gives the reason itself.
            Ok(has_caught_up.await.map_or(Done::Joined, |()| Done::CaughtUp))
        });
        Ok(Done::Joined)
    }
}

fn died(error: JoinError) -> LoaderError {
    LoaderError::Task(error.to_string())
}
