//! What runs during one opening: the reader of the change stream, a writer per collection, snapshots beside them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bson::RawDocumentBuf;
use mongodb::change_stream::ChangeStream;
use pulseline_runtime::shutdown::Shutdown;
use tokio::task::JoinSet;

use crate::drain;
use crate::error::LoaderError;
use crate::feed::Feed;
use crate::map::Source;
use crate::resume::{Place, ResumePoint};
use crate::session::Context;
use crate::snapshot::Snapshot;
use crate::stream::{self, Followed, Route};
use crate::write::{Opened, Writer};

/// Longest the reader may stand still: as long as the slowest writer takes for a batch that holds it up.
const READING_PATIENCE: Duration = Duration::from_secs(1_800);

/// How an opening ended without an error.
pub(crate) enum Ended {
    /// It was told to.
    Stopped,
    /// Every collection that was opened has a position now, or one more can be opened: they are followed together.
    Together,
    /// Positions are dead, or collections begin anew at new ones.
    Lost {
        sources: Vec<(Source, Option<ResumePoint>)>,
        reason: String,
    },
}

/// Collections whose positions were brought forward.
#[derive(Clone, Default)]
pub(crate) struct Moved(Arc<Mutex<HashSet<Source>>>);

impl Moved {
    fn insert(&self, source: Source) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(source);
    }

    /// Those since the last call.
    pub(crate) fn take(&self) -> HashSet<Source> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tasks that end together.
pub(crate) struct Tasks {
    context: Context,
    moved: Moved,
    /// Ends all of them, and only them.
    shutdown: Shutdown,
    running: JoinSet<Result<Done, LoaderError>>,
    unread: usize,
}

/// What became of one.
enum Done {
    Followed(Followed),
    Read(Source),
    Released(Source),
    Stopped,
}

impl Tasks {
    pub(crate) fn new(context: Context, moved: Moved) -> Self {
        Self {
            shutdown: context.shutdown.child(),
            context,
            moved,
            running: JoinSet::new(),
            unread: 0,
        }
    }

    /// Follows a stream that was opened at a place, for collections that are loaded up to theirs.
    pub(crate) fn follow(
        &mut self,
        stream: ChangeStream<RawDocumentBuf>,
        place: Place,
        collections: Vec<(Writer, ResumePoint)>,
    ) {
        let mut routes = Vec::with_capacity(collections.len());
        for (mut writer, position) in collections {
            let (source, config) = (writer.source(), self.context.config.clone());
            let (feed, messages) = Feed::new(source, &config, &self.shutdown);
            routes.push(Route {
                feed,
                loaded: position.place,
            });
            let moved = self.moved.clone();
            self.running.spawn(async move {
                drain::drain(&mut writer, messages, &config, |_| moved.insert(source)).await?;
                Ok(Done::Stopped)
            });
        }
        // Apart: should the writers be given up, a driver's future is not dropped half way.
        let heart = self.context.health.watch("change_stream", READING_PATIENCE);
        let reader = tokio::spawn(stream::follow(stream, place, routes, heart));
        self.running.spawn(async move {
            let followed = reader
                .await
                .map_err(|error| LoaderError::Task(error.to_string()))?;
            followed.map(Done::Followed)
        });
    }

    /// Reads a collection that has no position.
    pub(crate) fn read(&mut self, mut writer: Writer, snapshot: Snapshot) {
        self.unread += 1;
        let (context, shutdown) = (self.context.clone(), self.shutdown.clone());
        self.running.spawn(async move {
            let taken = snapshot
                .take(&mut writer, &context.database, &context.config, &shutdown)
                .await?;
            Ok(if taken {
                Done::Read(writer.source())
            } else {
                Done::Stopped
            })
        });
    }

    /// Waits until no other session holds the checkpoint of a collection any more.
    pub(crate) fn wait_for(&mut self, source: Source) {
        let (context, shutdown) = (self.context.clone(), self.shutdown.clone());
        let released = async move {
            let patience = context.config.lease_ttl();
            while let Opened::Locked = context.open(source, patience).await? {}
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

    /// Waits for all of them: the first one that ends for a reason ends the others, each after its own drain.
    pub(crate) async fn ended(mut self, mut has_read: impl FnMut(Source)) -> Result<Ended, LoaderError> {
        let mut ended = Ok(Ended::Stopped);
        while let Some(done) = self.running.join_next().await {
            let done = done.unwrap_or_else(|error| Err(LoaderError::Task(error.to_string())));
            let reason = match done {
                Ok(Done::Read(source)) => {
                    has_read(source);
                    self.unread -= 1;
                    if self.unread > 0 {
                        continue;
                    }
                    Ok(Ended::Together)
                }
                Ok(Done::Released(source)) => {
                    tracing::info!(
                        collection = source.name(),
                        "no other session holds the checkpoint any more"
                    );
                    Ok(Ended::Together)
                }
                Ok(Done::Followed(Followed::Replaced(source, position))) => Ok(Ended::Lost {
                    sources: vec![(source, Some(position))],
                    reason: "it was dropped or renamed".into(),
                }),
                Ok(Done::Followed(Followed::Dropped)) => Ok(Ended::Lost {
                    sources: Source::all().map(|source| (source, None)).collect(),
                    reason: "the database was dropped".into(),
                }),
                Ok(Done::Followed(Followed::Stopped) | Done::Stopped) => Ok(Ended::Stopped),
                Err(error) => Err(error),
            };
            self.shutdown.stop();
            if matches!(ended, Ok(Ended::Stopped)) {
                ended = reason;
            }
        }
        ended
    }
}
