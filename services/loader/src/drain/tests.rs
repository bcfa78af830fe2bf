//! The flow from a stream to a warehouse in memory: whatever fails, every event counts once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use pulseline_runtime::retry::{Class, Classify};
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

use super::*;
use crate::account::AccountKind;
use crate::resume::ResumePoint;
use crate::write::fake::{Call, Fake, Fault, REFUSED, point, progress, upload};

/// An upload of a device: its readings, each a time and a value.
type Event = (u128, Vec<(i64, i32)>);

static BUDGET: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(1 << 20)));

fn config(batch_rows: usize) -> LoaderConfig {
    LoaderConfig {
        batch_rows,
        ..LoaderConfig::default()
    }
}

/// Event number `n`, counted from 1, as the reader sends it.
fn document(events: &[Event], n: u32) -> Message {
    let (device, readings) = &events[n as usize - 1];
    Message::Document {
        mapped: Box::new(upload(i64::from(n) - 1, *device, readings)),
        progress: progress(n),
        bytes: 100,
        permit: Arc::clone(&BUDGET).try_acquire_owned().unwrap(),
    }
}

/// One opening: follows the stream from the durable position to its end.
async fn follow(fake: &Fake, epoch: i64, events: &[Event], config: &LoaderConfig) -> Result<(), LoaderError> {
    let (mut writer, position) = fake.open(epoch)?;
    let (sender, messages) = mpsc::channel(events.len() + 1);
    let last = u32::try_from(events.len()).unwrap();
    for n in (1..=last).filter(|n| is_after(*n, position.as_ref())) {
        assert!(sender.send(document(events, n)).await.is_ok());
    }
    assert!(sender.send(Message::Idle(progress(last))).await.is_ok());
    drop(sender);
    drain(&mut writer, messages, config, |_| ()).await
}

fn is_after(n: u32, position: Option<&ResumePoint>) -> bool {
    position.is_none_or(|position| point(n).stream_position > position.stream_position)
}

/// Every event has been accounted for once, and every reading is the winner of its key or a dead letter.
fn check(fake: &Fake, events: &[Event]) {
    let state = fake.state();
    let offsets = state.accounts.iter().flat_map(|account| {
        assert_eq!(account.kind, AccountKind::Loaded);
        account.from..account.to
    });
    let mut offsets: Vec<i64> = offsets.collect();
    offsets.sort_unstable();
    assert_eq!(
        offsets,
        (0..i64::try_from(events.len()).unwrap()).collect::<Vec<_>>()
    );
    let (mut best, mut refused) = (BTreeMap::new(), Vec::new());
    for (offset, (device, readings)) in events.iter().enumerate() {
        for (item, (at, value)) in readings.iter().enumerate() {
            if *value == REFUSED {
                refused.push(format!("mongo:steps/{offset}#{item}"));
            } else {
                best.insert((Uuid::from_u128(*device), *at), *value);
            }
        }
    }
    let stored = state.readings.iter().map(|(key, row)| (*key, row.1));
    assert_eq!(stored.collect::<BTreeMap<_, _>>(), best);
    assert_eq!(state.dead_letters, refused.into_iter().collect::<BTreeSet<_>>());
    assert!(state.dead_letters.is_subset(&state.collection));
    assert!(state.positions.is_sorted(), "D-2: {:?}", state.positions);
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Reject("40001")),
        Just(Fault::Reject("57P01")),
        Just(Fault::Disconnect),
        Just(Fault::LoseReply),
        Just(Fault::Hold(Duration::from_secs(30))),
    ]
}

proptest! {
    /// Times are distinct within an upload, as they are within a document that the sink stored.
    #[test]
    fn d_2_d_3_after_any_failure_each_event_is_loaded_once_from_the_durable_position(
        events in prop::collection::vec(
            (0..3_u128, prop::collection::btree_map(0..20_i64, prop_oneof![8 => 0..9, 1 => Just(REFUSED)], 1..5)), 1..20),
        faults in prop::collection::vec(fault(), 0..12),
        batch_rows in 1..12_usize,
    ) {
        // A refused reading may win its key in one batch and lose it in another: here it has a key of its own.
        let place = |event: usize, (at, value): (i64, i32)| {
            (if value == REFUSED { at + 20 * (1 + i64::try_from(event).unwrap()) } else { at }, value)
        };
        let events: Vec<Event> = events.into_iter().enumerate().map(|(event, (device, readings))| {
            (device, readings.into_iter().map(|reading| place(event, reading)).collect())
        }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let fake = Fake::default();
        fake.script(faults.iter().copied());
        let mut openings = 0;
        while let Err(error) = runtime.block_on(follow(&fake, 1, &events, &config(batch_rows))) {
            prop_assert_eq!(error.class(), Class::Transient, "{}", error);
            openings += 1;
            prop_assert!(openings <= faults.len(), "an error without a fault: {}", error);
        }
        check(&fake, &events);
        let last = point(u32::try_from(events.len()).unwrap());
        prop_assert_eq!(&fake.state().position, &Some(last));
    }
}

fn numbered(count: u32) -> Vec<Event> {
    (1..=count).map(|n| (1, vec![(i64::from(n), 1)])).collect()
}

#[tokio::test(start_paused = true)]
async fn d_2_after_a_lost_reply_the_next_writer_goes_on_from_what_is_committed() {
    let (fake, events) = (Fake::default(), numbered(9));
    fake.script([Fault::Hold(Duration::ZERO), Fault::LoseReply]);
    let lost = follow(&fake, 1, &events, &config(3)).await.unwrap_err();
    assert_eq!(lost.class(), Class::Transient);
    // The second batch is committed, although its writer does not know it.
    assert_eq!(fake.state().position, Some(point(6)));
    fake.take_calls();
    follow(&fake, 1, &events, &config(3)).await.unwrap();
    let rest = Call::Write {
        direct: 3,
        merge: 0,
        unpacks: false,
    };
    assert_eq!(fake.take_calls(), [rest, Call::Save]);
    check(&fake, &events);
}

#[tokio::test(start_paused = true)]
async fn d_2_a_stop_leaves_the_position_exactly_at_the_end_of_the_work() {
    let (fake, events) = (Fake::default(), numbered(5));
    let (mut writer, _) = fake.open(1).unwrap();
    let (sender, messages) = mpsc::channel(9);
    let written = std::cell::Cell::new(0);
    let config = config(100);
    let draining = drain(&mut writer, messages, &config, |done| {
        written.set(written.get() + done.documents)
    });
    let stopped = async {
        for n in 1..=5 {
            assert!(sender.send(document(&events, n)).await.is_ok());
        }
        // The stream goes on without events of this collection, then the reader stops.
        assert!(sender.send(Message::Passed(progress(8))).await.is_ok());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(sender.send(Message::Passed(progress(9))).await.is_ok());
        drop(sender);
    };
    let (drained, ()) = tokio::join!(draining, stopped);
    drained.unwrap();
    assert_eq!(written.get(), 5);
    assert_eq!(fake.state().position, Some(point(9)));
    check(&fake, &events);
    // The next writer has nothing to do.
    fake.take_calls();
    let (_, position) = fake.open(1).unwrap();
    assert!((1..=9).all(|n| !is_after(n, position.as_ref())));
}

#[tokio::test(start_paused = true)]
async fn while_a_batch_is_written_the_next_one_fills_and_a_slow_store_gets_fewer_requests() {
    let (fake, events) = (Fake::default(), numbered(6));
    let (mut writer, _) = fake.open(1).unwrap();
    fake.script([Fault::Hold(Duration::from_secs(10))]);
    let (sender, messages) = mpsc::channel(9);
    let config = config(100);
    let draining = drain(&mut writer, messages, &config, |_| ());
    let sending = async {
        assert!(sender.send(document(&events, 1)).await.is_ok());
        tokio::time::sleep(Duration::from_secs(1)).await;
        for n in 2..=5 {
            assert!(sender.send(document(&events, n)).await.is_ok());
        }
        // Half a second after the first commit the second batch still fills.
        tokio::time::sleep(Duration::from_millis(9_500)).await;
        assert!(sender.send(document(&events, 6)).await.is_ok());
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(sender);
    };
    let (drained, ()) = tokio::join!(draining, sending);
    drained.unwrap();
    let write = |direct| Call::Write {
        direct,
        merge: 0,
        unpacks: false,
    };
    assert_eq!(fake.take_calls(), [write(1), write(5)]);
    check(&fake, &events);
}

#[tokio::test(start_paused = true)]
async fn d_3_a_batch_that_is_abandoned_is_read_again() {
    let (fake, events) = (Fake::default(), numbered(4));
    fake.script([Fault::Hold(Duration::from_secs(60))]);
    let config = config(100);
    let abandoned = tokio::time::timeout(Duration::from_secs(10), follow(&fake, 1, &events, &config));
    assert!(abandoned.await.is_err());
    assert_eq!(fake.state().position, None);
    follow(&fake, 1, &events, &config).await.unwrap();
    check(&fake, &events);
}

#[tokio::test(start_paused = true)]
async fn d_2_the_next_owner_goes_on_from_the_last_commit_and_the_former_one_writes_nothing_more() {
    let (fake, events) = (Fake::default(), numbered(9));
    // The former owner is frozen inside its second transaction, until the next one has loaded all.
    fake.script([Fault::Hold(Duration::ZERO), Fault::Hold(Duration::from_secs(60))]);
    let config = config(3);
    let frozen = follow(&fake, 1, &events, &config);
    let next = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(fake.state().position, Some(point(3)));
        follow(&fake, 2, &events, &config).await
    };
    let (frozen, next) = tokio::join!(frozen, next);
    next.unwrap();
    assert!(matches!(frozen, Err(LoaderError::Fenced { epoch: 1, .. })));
    check(&fake, &events);
    let again = follow(&fake, 1, &events, &config).await;
    assert!(again.unwrap_err().is_superseded());
}
