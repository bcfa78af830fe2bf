//! What becomes of a message: a document, a receipt or a dead letter.

use std::sync::atomic::Ordering;

use bson::Document;
use pulseline_schemas::collections::{DEAD_LETTERS, RECEIPTS};
use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{LocalMillis, Step};
use uuid::Uuid;

use super::{STEPS, Sink, small_batches, stored_up_to};
use crate::error::SinkError;
use crate::gaps::Gap;
use crate::receipts::Receipt;
use crate::scripted::{NOW, PARTITION, Servers, StoreCall, payload, steps};

fn id(event: u128) -> String {
    Uuid::from_u128(event).to_string()
}

fn dead_letter(servers: &Servers, offset: i64) -> Document {
    let id = format!("kafka:{}#-1", PARTITION.position(0, offset));
    servers.store.document(DEAD_LETTERS, &id)
}

#[tokio::test(start_paused = true)]
async fn d_3_poison_is_kept_with_its_bytes_and_holds_up_nothing() {
    let servers = Servers::start();
    let mut ahead = steps(3, 5);
    ahead.upload.synced_at.0 += 25 * 3_600_000;
    let messages = [
        ("", payload(steps(1, 5))),
        ("undecodable", vec![]),
        ("undecodable", vec![0]),
        ("undecodable", b"{\"steps\": 60}".to_vec()),
        ("unknown_schema", vec![0, 0, 0, 0x7f, 0xff, 1, 2, 3]),
        ("conflicting_content", payload(steps(1, 6))),
        ("", payload(steps(2, 5))),
        ("clock_in_future", payload(ahead)),
        ("refused", payload(steps(4, 5))),
    ];
    servers.store.refuse(&id(4));
    for (_, bytes) in &messages {
        servers.kafka.produce(PARTITION, bytes.clone());
    }
    let sink = Sink::start(&servers);
    stored_up_to(&servers, 9).await;
    assert_eq!(servers.store.ids(STEPS), [id(1), id(2)]);
    assert_eq!(servers.store.accounted(0), (0..9).collect::<Vec<_>>());
    for (offset, (reason, bytes)) in (0..).zip(&messages) {
        if !reason.is_empty() {
            let dead_letter = dead_letter(&servers, offset);
            assert_eq!(dead_letter.get_str("reason").unwrap(), *reason, "{offset}");
            assert_eq!(dead_letter.get_binary_generic("payload").unwrap(), bytes);
            assert_eq!(
                dead_letter.get_binary_generic("message_key").unwrap(),
                b"a device"
            );
        }
    }
    sink.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_same_event_at_another_offset_is_a_receipt_in_the_same_batch_and_in_a_later_one() {
    let servers = Servers::start();
    let sink = Sink::start(&servers);
    for _ in 0..2 {
        servers.kafka.produce(PARTITION, payload(steps(1, 5)));
    }
    stored_up_to(&servers, 2).await;
    servers.kafka.produce(PARTITION, payload(steps(1, 5)));
    stored_up_to(&servers, 3).await;
    assert_eq!(servers.store.ids(STEPS), [id(1)]);
    for offset in 1..3 {
        let receipt = servers
            .store
            .document(RECEIPTS, &PARTITION.position(0, offset).to_string());
        assert_eq!(receipt.get_str("kind").unwrap(), "duplicate");
        assert_eq!(receipt.get_str("event_id").unwrap(), id(1));
    }
    sink.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn p_4_another_event_at_a_taken_position_stops_the_sink() {
    let servers = Servers::start();
    servers.kafka.produce(PARTITION, payload(steps(1, 5)));
    let first = Sink::start(&servers);
    stored_up_to(&servers, 1).await;
    // Never committed, and the message at this offset is another one now.
    first.kill().await;
    servers.kafka.truncate(PARTITION, 0);
    servers.kafka.produce(PARTITION, payload(steps(2, 5)));
    let error = Sink::start(&servers).ended().await.unwrap_err();
    let SinkError::PositionTaken {
        position,
        event_id,
        by,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((position, event_id, by), (PARTITION.position(0, 0), id(2), id(1)));
    assert_eq!(servers.kafka.peek(|cluster| cluster.stored_at(PARTITION)), None);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_cannot_be_stored_stops_the_sink_and_nothing_is_committed() {
    let servers = Servers::start();
    servers.kafka.produce(PARTITION, vec![]);
    let dead_letter = format!("kafka:{}#-1", PARTITION.position(0, 0));
    servers.store.refuse(&dead_letter);
    let error = Sink::start(&servers).ended().await.unwrap_err();
    assert!(
        matches!(
            error,
            SinkError::Write {
                collection: DEAD_LETTERS,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(servers.kafka.peek(|cluster| cluster.stored_at(PARTITION)), None);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_error_of_mongodb_stops_the_sink_and_nothing_is_committed() {
    let servers = Servers::start();
    servers.kafka.produce(PARTITION, payload(steps(1, 5)));
    let unknown = SinkError::Write {
        collection: STEPS,
        code: 1,
        message: "scripted".into(),
    };
    servers.store.script.fail(StoreCall::Insert(STEPS), unknown);
    let error = Sink::start(&servers).ended().await.unwrap_err();
    assert!(matches!(error, SinkError::Write { code: 1, .. }), "{error}");
    assert_eq!(servers.kafka.peek(|cluster| cluster.stored_at(PARTITION)), None);
}

#[tokio::test(start_paused = true)]
async fn d_1_a_write_without_a_majority_is_repeated_before_it_counts() {
    let servers = Servers::start();
    servers.kafka.produce(PARTITION, payload(steps(1, 5)));
    let rolled_back = SinkError::WriteConcern {
        collection: STEPS,
        code: 64,
        message: "scripted".into(),
    };
    servers.store.script.fail(StoreCall::Insert(STEPS), rolled_back);
    let again = servers.store.script.hold(StoreCall::Insert(STEPS));
    let sink = Sink::start(&servers);
    again.arrived().await;
    assert_eq!(servers.kafka.peek(|cluster| cluster.stored_at(PARTITION)), None);
    again.release();
    stored_up_to(&servers, 1).await;
    assert_eq!(servers.store.ids(STEPS), [id(1)]);
    sink.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_receipt_of_an_earlier_attempt_is_continued_where_it_ends() {
    let servers = Servers::start();
    servers.kafka.leave_out(PARTITION, 5);
    servers.kafka.produce(PARTITION, payload(steps(1, 5)));
    let shorter = Receipt::void(PARTITION.position(0, 0), Gap { from: 0, to: 2 });
    servers.store.put(RECEIPTS, &shorter.to_document(NOW));
    let sink = Sink::start(&servers);
    stored_up_to(&servers, 6).await;
    assert_eq!(
        servers.store.ids(RECEIPTS),
        ["fitbit.steps/0/0/0-2", "fitbit.steps/0/0/3-4"]
    );
    sink.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn e_1_nothing_of_an_erased_person_is_stored_or_kept_at_any_time_of_the_erasure() {
    let servers = Servers::start();
    let storing = servers.store.script.hold(StoreCall::Insert(STEPS));
    servers.kafka.produce(PARTITION, payload(steps(1, 5)));
    let sink = Sink::start(&servers);
    storing.arrived().await;
    // In the middle of a flush, which asked before.
    servers.store.erase(steps(1, 5).upload.device_id);
    storing.release();
    stored_up_to(&servers, 1).await;
    assert_eq!(servers.store.ids(STEPS), [""; 0]);
    // Before the next one.
    let mut other = steps(3, 5);
    other.upload.device_id = Uuid::from_u128(77);
    servers.kafka.produce(PARTITION, payload(steps(2, 5)));
    servers.kafka.produce(PARTITION, payload(other));
    stored_up_to(&servers, 3).await;
    assert_eq!(servers.store.ids(STEPS), [id(3)]);
    assert_eq!(servers.store.accounted(0), [0, 1, 2]);
    for offset in 0..2 {
        let receipt = PARTITION.position(0, offset).to_string();
        let receipt = servers.store.document(RECEIPTS, &receipt);
        assert_eq!(receipt.get_str("kind").unwrap(), "erased");
    }
    sink.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn p_17_of_a_device_that_was_passed_on_exactly_the_erased_days_are_left_out_at_any_time() {
    let servers = Servers::start();
    let on_days = |event, days: &[i64]| {
        let mut steps = steps(event, 5);
        let sample = steps.samples.remove(0);
        steps.samples.extend(days.iter().map(|day| Step {
            ts: LocalMillis(day * DAY_MS),
            ..sample.clone()
        }));
        payload(steps)
    };
    let samples = |event| {
        let document = servers.store.document(STEPS, &id(event));
        let days = document.get_array("metrics").unwrap().iter().map(|sample| {
            let at = sample.as_document().unwrap().get_datetime("ts").unwrap();
            at.timestamp_millis() / DAY_MS
        });
        days.collect::<Vec<i64>>()
    };
    let storing = servers.store.script.hold(StoreCall::Insert(STEPS));
    servers.kafka.produce(PARTITION, on_days(1, &[0]));
    servers.kafka.produce(PARTITION, on_days(2, &[0, 1]));
    let sink = Sink::start(&servers);
    storing.arrived().await;
    // In the middle of a flush, which asked before.
    servers
        .store
        .erase_days(steps(1, 5).upload.device_id, i32::MIN..1);
    storing.release();
    stored_up_to(&servers, 2).await;
    assert_eq!(servers.store.ids(STEPS), [id(2)]);
    assert_eq!(samples(2), [1]);
    for (event, days) in [(3, [0].as_slice()), (4, &[0, 1, 2]), (5, &[1])] {
        servers.kafka.produce(PARTITION, on_days(event, days));
    }
    stored_up_to(&servers, 5).await;
    assert_eq!(servers.store.ids(STEPS), [id(2), id(4), id(5)]);
    assert_eq!((samples(4), samples(5)), (vec![1, 2], vec![1]));
    assert_eq!(servers.store.accounted(0), [0, 1, 2, 3, 4]);
    for offset in [0, 2] {
        let receipt = PARTITION.position(0, offset).to_string();
        let receipt = servers.store.document(RECEIPTS, &receipt);
        assert_eq!(receipt.get_str("kind").unwrap(), "erased");
    }
    sink.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_away_makes_no_dead_letter_and_closes_intake() {
    let servers = Servers::start();
    servers.registry.is_away.store(true, Ordering::Release);
    for event in 1..=5 {
        servers.kafka.produce(PARTITION, payload(steps(event, 5)));
    }
    let sink = Sink::start_with(&servers, small_batches());
    servers
        .kafka
        .until("a pause", |cluster| cluster.is_paused(PARTITION))
        .await;
    assert_eq!(sink.shutdown.waits().now()[0].what, "schema");
    servers.registry.is_away.store(false, Ordering::Release);
    stored_up_to(&servers, 5).await;
    assert_eq!(servers.store.ids(STEPS).len(), 5);
    assert_eq!(servers.store.ids(DEAD_LETTERS), [""; 0]);
    assert!(!servers.kafka.peek(|cluster| cluster.is_paused(PARTITION)));
    sink.stop().await.unwrap();
}
