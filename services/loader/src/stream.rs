//! Reads one change stream of the whole database for every collection's writer.
//!
//! One stream, because a server scans all its changes for each stream: fifteen streams cost fifteen times as
//! much. The slowest writer slows all others once its budget is full.
//!
//! A driver's future is never dropped halfway: the reader checks the stop flag between calls, which the server holds
//! open for a bounded time.

use std::time::{Duration, Instant};

use bson::{Bson, Document, doc};
use pulseline_clients::mongo::{ChangeStream, Database, ResumeToken, Step, Watch};
use pulseline_runtime::clock::system_utc_millis;
use pulseline_runtime::health::Heart;
use tokio::sync::oneshot;

use crate::batch::Progress;
use crate::byte_bounded::{ByteBoundedSender, Message};
use crate::config::LoaderConfig;
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::event::{self, Change};
use crate::resume::{ResumePoint, StreamPosition};

/// Documents per reply of the server: about a megabyte of them is held undecoded.
const FETCH_DOCUMENTS: u32 = 250;
/// Attempts to open a stream that reports its position before its first event.
const TOKEN_ATTEMPTS: usize = 20;
/// How often collections without changes learn the position of a busy stream: theirs must not grow old.
const PASSED_EVERY: Duration = Duration::from_secs(1);
/// A busy stream whose events are no older than this has caught up.
const PRESENT_MS: i64 = 5_000;

/// A collection that is followed.
pub(crate) struct Route {
    pub(crate) sender: ByteBoundedSender,
    /// Everything up to here is loaded already.
    pub(crate) loaded: StreamPosition,
}

/// Why following ended.
pub(crate) enum Followed {
    /// It was told to stop.
    Stopped,
    /// The content of a collection was replaced, at this position.
    Replaced(SourceCollection, ResumePoint),
    /// The database was dropped.
    Dropped,
}

/// Opens the change stream after a token, or at the present.
pub(crate) async fn open(
    database: &Database,
    after: Option<ResumeToken>,
    config: &LoaderConfig,
) -> Result<ChangeStream, LoaderError> {
    let opened = database.watch(Watch {
        stage: wanted(),
        start_after: after,
        max_await: config.max_await(),
        batch_size: FETCH_DOCUMENTS,
    });
    opened
        .await
        .map_err(LoaderError::mongo("opening the change stream"))
}

/// Selects events. Deletes come from erasure and are left out; events that end or replace a collection must be seen.
fn wanted() -> Document {
    let names: Vec<Bson> = SourceCollection::all()
        .map(|source| source.name().into())
        .collect();
    doc! { "$match": { "$or": [
        { "ns.coll": { "$in": &names }, "operationType": { "$in": ["insert", "drop", "rename"] } },
        { "to.coll": { "$in": &names }, "operationType": "rename" },
        { "operationType": "invalidate" },
    ] } }
}

/// The present position: everything before it is in the collections already.
pub(crate) async fn present(database: &Database, config: &LoaderConfig) -> Result<ResumePoint, LoaderError> {
    for _ in 0..TOKEN_ATTEMPTS {
        // A stream whose first reply holds events does not report where it began: open it again.
        if let Some(token) = open(database, None, config).await?.opened_at().cloned() {
            let stream_position = StreamPosition::in_token(&token).unwrap_or(StreamPosition::START);
            return Ok(ResumePoint {
                token,
                stream_position,
            });
        }
    }
    Err(LoaderError::Protocol(
        "the server does not report the position of a new change stream (postBatchResumeToken)".into(),
    ))
}

/// Follows a change stream that was opened at a position, until told to stop. Reports when it has caught up.
pub(crate) async fn follow(
    mut stream: ChangeStream,
    mut stream_position: StreamPosition,
    routes: Vec<Route>,
    mut caught_up: Option<oneshot::Sender<()>>,
    heart: Heart,
) -> Result<Followed, LoaderError> {
    let routes = Routes(routes);
    let mut passed_at = Instant::now();
    while !routes.are_stopped() {
        heart.beat();
        let asked_at = system_utc_millis();
        let next = stream.next_if_any().await;
        let next = next.map_err(LoaderError::mongo("reading the change stream"))?;
        let Some(Step { event, token }) = next else {
            return Ok(Followed::Dropped);
        };
        let Some(raw) = event else {
            // Where tokens carry the time, an idle stream advances too.
            stream_position = token
                .as_ref()
                .and_then(StreamPosition::in_token)
                .map_or(stream_position, |seen| seen.max(stream_position));
            let progress = progress(token, stream_position, Some(asked_at));
            if !routes
                .tell(stream_position, || Message::Idle(progress.clone()))
                .await
            {
                break;
            }
            tell_present(&mut caught_up);
            continue;
        };
        let event = event::read(&raw).map_err(LoaderError::Protocol)?;
        stream_position = stream_position.next(event.at);
        if stream_position
            .millis()
            .is_some_and(|at| at + PRESENT_MS >= asked_at)
        {
            tell_present(&mut caught_up);
        }
        let progress = progress(token, stream_position, None);
        match event.change {
            Change::Inserted { collection, document } => {
                let route = routes.of(collection, stream_position);
                if let Some(Route { sender, .. }) = route
                    && !sender.document(document, progress.clone()).await
                {
                    break;
                }
            }
            Change::Replaced(collections) => {
                let mut followed = collections
                    .iter()
                    .filter_map(|name| routes.of(name, stream_position));
                if let (Some(route), Some(position)) = (followed.next(), progress.position.clone()) {
                    return Ok(Followed::Replaced(route.sender.source(), position));
                }
            }
            Change::Invalidated => return Ok(Followed::Dropped),
            Change::Other => {}
        }
        if passed_at.elapsed() >= PASSED_EVERY {
            if !routes
                .tell(stream_position, || Message::Passed(progress.clone()))
                .await
            {
                break;
            }
            passed_at = Instant::now();
        }
    }
    Ok(Followed::Stopped)
}

/// Reports once that the stream has caught up.
fn tell_present(caught_up: &mut Option<oneshot::Sender<()>>) {
    if let Some(caught_up) = caught_up.take() {
        // The receiver may be gone; then nothing waits for this.
        let _told = caught_up.send(());
    }
}

fn progress(
    token: Option<ResumeToken>,
    stream_position: StreamPosition,
    caught_up_at: Option<i64>,
) -> Progress {
    Progress {
        position: token.map(|token| ResumePoint {
            token,
            stream_position,
        }),
        cluster_time: stream_position.millis(),
        caught_up_at,
        ..Progress::default()
    }
}

struct Routes(Vec<Route>);

impl Routes {
    /// The collection of an event at a position, unless it is loaded already or not a loaded collection.
    fn of(&self, collection: &str, stream_position: StreamPosition) -> Option<&Route> {
        let is_it = |route: &&Route| route.sender.source().name() == collection;
        self.0
            .iter()
            .find(is_it)
            .filter(|route| stream_position > route.loaded)
    }

    fn are_stopped(&self) -> bool {
        self.0.iter().any(|route| route.sender.is_stopped())
    }

    /// Reports a position to all collections that are not past it: a position never goes back. False when reading should end.
    async fn tell(&self, stream_position: StreamPosition, message: impl Fn() -> Message) -> bool {
        for route in self.0.iter().filter(|route| stream_position >= route.loaded) {
            if !route.sender.send(message()).await {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use bson::Timestamp;
    use pulseline_runtime::shutdown::Shutdown;
    use pulseline_schemas::Stream;

    use super::*;

    #[tokio::test]
    async fn d_2_a_collection_that_is_ahead_is_skipped_and_never_gets_an_earlier_position() {
        let at = |time| StreamPosition::START.next(Timestamp { time, increment: 1 });
        let config = LoaderConfig::default();
        let route = |stream, loaded| {
            let source = SourceCollection::Stream(stream);
            let (sender, messages) = ByteBoundedSender::new(source, &config, &Shutdown::new());
            (Route { sender, loaded }, messages)
        };
        let (behind, mut received) = route(Stream::Steps, at(1));
        let (ahead, mut spared) = route(Stream::Sleeps, at(3));
        let routes = Routes(vec![behind, ahead]);
        let is_taken =
            |stream: Stream, stream_position| routes.of(stream.collection(), stream_position).is_some();
        assert!(is_taken(Stream::Steps, at(2)) && !is_taken(Stream::Steps, at(1)));
        assert!(is_taken(Stream::Sleeps, at(4)) && !is_taken(Stream::Sleeps, at(3)));
        assert!(!is_taken(Stream::Users, at(4)));
        assert!(routes.tell(at(2), || Message::Passed(Progress::default())).await);
        assert!(received.try_recv().is_ok() && spared.try_recv().is_err());
        assert!(routes.tell(at(3), || Message::Idle(Progress::default())).await);
        assert!(received.try_recv().is_ok() && spared.try_recv().is_ok());
    }
}
