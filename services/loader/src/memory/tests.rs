//! What follows an opening, and what has to be done with each collection at the next one.

use bson::doc;
use pulseline_clients::mongo::ErrorKind;
use pulseline_schemas::Stream;
use pulseline_schemas::pages::PagePosition;

use super::*;
use crate::stream::Followed;
use crate::write::fake::{failed, point};

const STEPS: SourceCollection = SourceCollection::Stream(Stream::Steps);
const SLEEPS: SourceCollection = SourceCollection::Stream(Stream::Sleeps);

/// The error of a position that the server no longer knows.
fn dead_token() -> LoaderError {
    let said = doc! { "code": 286, "codeName": "ChangeStreamHistoryLost", "errmsg": "lost" };
    let said = ErrorKind::Command(bson::deserialize_from_document(said).unwrap());
    LoaderError::mongo("testing")(said.into())
}

fn claimed(position: Option<u32>, snapshot: Option<Snapshot>) -> Claimed {
    Claimed {
        position: position.map(point),
        snapshot,
    }
}

#[tokio::test]
async fn d_2_an_opening_is_followed_by_a_stop_another_one_or_a_pause() {
    let next = |ended, has_progress| Memory::default().next(ended, has_progress, DeadToken::Resnapshot);
    assert!(matches!(next(Ok(Ended::Stopped), false), Ok(Next::Stop)));
    assert!(matches!(next(Ok(Ended::Together), false), Ok(Next::Reopen)));
    // Outages, a lost reply, and a checkpoint that moved: what is durable shows where to continue.
    let fenced = LoaderError::Fenced {
        collection: "steps",
        epoch: 1,
        seq: 2,
    };
    for passing in [failed(None).await, failed(Some("57P01")).await, fenced] {
        assert!(matches!(next(Err(passing), false), Ok(Next::Wait(_))));
    }
    let claimed = LoaderError::Claimed {
        collection: "steps",
        epoch: 1,
    };
    let stops = [
        failed(Some("42P01")).await,
        failed(Some("23505")).await,
        LoaderError::NoErasureKey,
        LoaderError::Abandoned,
        claimed,
    ];
    for error in stops {
        let text = error.to_string();
        assert_eq!(next(Err(error), true).unwrap_err().to_string(), text);
    }
    // A refused position may be an old one; without progress it is that of the collection it was opened at, if any.
    assert!(matches!(next(Err(dead_token()), true), Ok(Next::Wait(_))));
    assert!(next(Err(dead_token()), false).unwrap_err().is_dead_token());
}

#[test]
fn d_2_a_lost_position_stops_the_loader_or_the_collection_is_read_again() {
    let mut memory = Memory {
        start: Some(STEPS),
        ..Memory::default()
    };
    let stopped = memory
        .next(Err(dead_token()), false, DeadToken::Fail)
        .unwrap_err();
    assert!(matches!(
        stopped,
        LoaderError::DeadToken {
            collection: "steps",
            ..
        }
    ));
    assert!(matches!(
        memory.judge(STEPS, claimed(Some(1), None)),
        Verdict::Loaded(_)
    ));
    let next = memory.next(Err(dead_token()), false, DeadToken::Resnapshot);
    assert!(matches!(next, Ok(Next::Reopen)));
    assert_eq!(memory.judge(STEPS, claimed(Some(1), None)), Verdict::Unread(None));
    assert_eq!(
        memory.judge(SLEEPS, claimed(Some(1), None)),
        Verdict::Loaded(point(1))
    );
    // Until it is read.
    memory.has_read(STEPS);
    assert_eq!(
        memory.judge(STEPS, claimed(Some(7), None)),
        Verdict::Loaded(point(7))
    );
}

#[test]
fn d_2_a_dropped_collection_starts_over_at_its_new_position_beside_the_others() {
    let dropped = || Ok(Ended::after(Followed::Replaced(SLEEPS, point(5))));
    let mut memory = Memory::default();
    let stopped = memory.next(dropped(), true, DeadToken::Fail).unwrap_err();
    assert_eq!(
        stopped.to_string(),
        "MongoDB no longer knows the change-stream position of sleeps (it was dropped or renamed); events may be missing. \
         Set loader.dead_token to \"resnapshot\" to read the collection again"
    );
    memory.next(dropped(), true, DeadToken::Resnapshot).unwrap();
    let from = Snapshot::new(point(5));
    assert_eq!(
        memory.judge(SLEEPS, claimed(Some(4), None)),
        Verdict::Unread(Some(from))
    );
    assert_eq!(
        memory.judge(STEPS, claimed(Some(4), None)),
        Verdict::Loaded(point(4))
    );
    // The checkpoint stores the snapshot once a part of it is loaded.
    memory.begun.insert(SLEEPS);
    memory.take_progress();
    let begun = Snapshot {
        after: Some(PagePosition::Rest),
        ..Snapshot::new(point(5))
    };
    let stored = claimed(Some(4), Some(begun.clone()));
    assert_eq!(memory.judge(SLEEPS, stored), Verdict::Unread(Some(begun)));
    // Without its database every collection starts over.
    let mut memory = Memory::default();
    let next = memory.next(Ok(Ended::after(Followed::Dropped)), true, DeadToken::Resnapshot);
    assert!(matches!(next, Ok(Next::Reopen)));
    let mut sources = SourceCollection::all();
    assert!(sources.all(|source| memory.judge(source, claimed(Some(4), None)) == Verdict::Unread(None)));
    assert!(matches!(Ended::after(Followed::Stopped), Ended::Stopped));
}

#[test]
fn a_collection_whose_position_is_lost_again_and_again_stops_the_loader_unless_it_moves_in_between() {
    let mut memory = Memory {
        start: Some(STEPS),
        ..Memory::default()
    };
    let mut lose = |has_moved: bool| {
        if has_moved {
            memory.moved.insert(STEPS);
        }
        assert_eq!(memory.take_progress(), has_moved);
        memory.next(Err(dead_token()), false, DeadToken::Resnapshot)
    };
    for has_moved in [false, false, true, false] {
        assert!(matches!(lose(has_moved), Ok(Next::Reopen)));
    }
    let stopped = lose(false);
    assert!(matches!(
        stopped,
        Err(LoaderError::NoProgress { recoveries: 3, .. })
    ));
}

#[test]
fn a_collection_without_a_usable_position_is_read() {
    // An earlier version stored it without its place in the stream, or nothing is stored yet.
    assert_eq!(
        Memory::default().judge(STEPS, claimed(None, None)),
        Verdict::Unread(None)
    );
}
