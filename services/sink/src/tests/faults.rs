//! Whatever call fails, loses its reply, or is the last one of a killed sink: every offset is accounted for once.

use proptest::prelude::*;
use pulseline_schemas::collections::{DEAD_LETTERS, RECEIPTS};
use uuid::Uuid;

use super::{STEPS, Sink, small_batches, stored_up_to};
use crate::scripted::{Hold, KafkaCall, Measures, PARTITION, Servers, StoreCall, payload, steps};

/// A call to any server.
#[derive(Clone, Copy, Debug)]
enum Call {
    Store(StoreCall),
    Kafka(KafkaCall),
}

/// Every call that stands between a message and its commit.
const CALLS: [Call; 14] = [
    Call::Store(StoreCall::Insert(STEPS)),
    Call::Store(StoreCall::Insert(RECEIPTS)),
    Call::Store(StoreCall::Insert(DEAD_LETTERS)),
    Call::Store(StoreCall::FindEvents),
    Call::Store(StoreCall::FindAt),
    Call::Store(StoreCall::Delete),
    Call::Store(StoreCall::Incarnations),
    Call::Store(StoreCall::OpenIncarnation),
    Call::Store(StoreCall::ErasureRevision),
    Call::Store(StoreCall::Tombstones),
    Call::Kafka(KafkaCall::TopicIds),
    Call::Kafka(KafkaCall::Watermarks),
    Call::Kafka(KafkaCall::Starts),
    Call::Kafka(KafkaCall::ReadAgain),
];

/// The device of an erased person.
const ERASED: Uuid = Uuid::from_u128(66);

fn reject(servers: &Servers, call: Call) {
    match call {
        Call::Store(call) => servers.store.script.reject(call),
        Call::Kafka(call) => servers.kafka.script.reject(call),
    }
}

fn lose_reply(servers: &Servers, call: Call) {
    match call {
        Call::Store(call) => servers.store.script.lose_reply(call),
        Call::Kafka(call) => servers.kafka.script.lose_reply(call),
    }
}

fn hold(servers: &Servers, call: Call) -> Hold {
    match call {
        Call::Store(call) => servers.store.script.hold(call),
        Call::Kafka(call) => servers.kafka.script.hold(call),
    }
}

/// Adds a message of a kind, or offsets without one.
fn produce(servers: &Servers, kind: u8, event: u128) {
    let message = match kind % 5 {
        // An event, and perhaps the same one once more, or with other content.
        0 | 1 => payload(steps(event, 5)),
        2 => payload(steps(event, 6)),
        3 => {
            let mut erased = steps(1_000 + event, 5);
            erased.upload.device_id = ERASED;
            payload(erased)
        }
        _ => b"no event".to_vec(),
    };
    match kind {
        9 => servers.kafka.leave_out(PARTITION, 2),
        _ => servers.kafka.produce(PARTITION, message),
    }
}

/// A partition with one message of each kind.
fn servers() -> Servers {
    let servers = Servers::start();
    servers.store.erase(ERASED);
    for (kind, event) in [(0, 1), (0, 1), (2, 1), (9, 0), (3, 3), (0, 2), (4, 0)] {
        produce(&servers, kind, event);
    }
    servers
}

/// What is stored, by collection.
fn stored(servers: &Servers) -> [Vec<String>; 3] {
    [STEPS, RECEIPTS, DEAD_LETTERS].map(|collection| servers.store.ids(collection))
}

#[tokio::test(start_paused = true)]
async fn d_1_if_any_call_fails_or_loses_its_reply_each_document_is_stored_once() {
    let plain = servers();
    let sink = Sink::start(&plain);
    stored_up_to(&plain, 8).await;
    sink.stop().await.unwrap();
    assert_eq!(plain.store.accounted(0), (0..8).collect::<Vec<_>>());
    for call in CALLS.into_iter().chain([Call::Kafka(KafkaCall::Committed)]) {
        let servers = servers();
        // Only a receipt that is there already is looked for at its position.
        lose_reply(&servers, Call::Store(StoreCall::Insert(RECEIPTS)));
        for fault in [reject, lose_reply] {
            fault(&servers, call);
        }
        let sink = Sink::start(&servers);
        stored_up_to(&servers, 8).await;
        sink.stop().await.unwrap();
        assert!(
            servers.store.script.is_played() && servers.kafka.script.is_played(),
            "{call:?}"
        );
        assert_eq!(stored(&servers), stored(&plain), "{call:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn d_1_the_sink_recognises_what_it_stored_when_the_reply_was_lost() {
    let (servers, measures) = (Servers::start(), Measures::default());
    let _installed = measures.install();
    for event in 1..=20 {
        produce(&servers, 0, event);
    }
    for _ in 0..3 {
        servers.store.script.lose_reply(StoreCall::Insert(STEPS));
    }
    let sink = Sink::start(&servers);
    stored_up_to(&servers, 20).await;
    sink.stop().await.unwrap();
    assert!(servers.store.script.is_played());
    assert_eq!(servers.store.ids(STEPS).len(), 20);
    assert_eq!(servers.store.ids(RECEIPTS), [""; 0]);
    assert_eq!(measures.sum("pulseline_sink_own_retries_total"), 20.0);
}

/// Runs sinks until everything is stored; each of these calls is the last one of a sink.
async fn run_and_kill(servers: &Servers, end: i64, last_calls: Vec<Call>) {
    for call in last_calls {
        let hold = hold(servers, call);
        let sink = Sink::start_with(servers, small_batches());
        tokio::select! {
            biased;
            () = hold.arrived() => {}
            () = stored_up_to(servers, end) => {}
        }
        sink.kill().await;
        // If the call did not come, it will not wait in another sink.
        hold.release();
    }
    let sink = Sink::start_with(servers, small_batches());
    stored_up_to(servers, end).await;
    sink.stop().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// D-1, D-3: whatever comes, whatever fails and whenever the sink is killed.
    #[test]
    fn d_3_every_offset_is_accounted_for_once(
        messages in prop::collection::vec((0_u8..10, 0_u128..6), 1..20),
        faults in prop::collection::vec((0..CALLS.len(), any::<bool>()), 0..12),
        kills in prop::collection::vec(0..CALLS.len(), 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let servers = Servers::start();
            servers.store.erase(ERASED);
            for (kind, event) in messages {
                produce(&servers, kind, event);
            }
            // A message at the end: what lies after the last one waits for statistics.
            produce(&servers, 0, 100);
            let end = servers.kafka.end(PARTITION);
            for (call, is_done) in faults {
                let fault = if is_done { lose_reply } else { reject };
                fault(&servers, CALLS[call]);
            }
            let last_calls = kills.into_iter().map(|call| CALLS[call]).collect();
            run_and_kill(&servers, end, last_calls).await;
            prop_assert_eq!(servers.store.accounted(0), (0..end).collect::<Vec<_>>());
            let committed = servers.kafka.peek(|cluster| cluster.committed_at(PARTITION));
            prop_assert_eq!(committed, Some(end));
            Ok(())
        })?;
    }
}
