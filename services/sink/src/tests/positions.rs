//! Where reading begins, offsets without messages, and topics that were created again.

use std::time::Duration;

use pulseline_schemas::collections::{DEAD_LETTERS, RECEIPTS};

use super::{STEPS, Sink, produce, small_batches, stored_up_to};
use crate::broker::RebalanceKind;
use crate::error::SinkError;
use crate::scripted::{KafkaCall, Measures, PARTITION, Servers, StoreCall, payload, steps};

const LOST: &str = "pulseline_sink_lost_offsets_total";
const GAPS: &str = "pulseline_sink_void_offsets_total";

fn begun(servers: &Servers) -> Vec<i64> {
    servers.kafka.peek(|cluster| {
        let begun = cluster.begun.iter();
        begun.map(|(_, offset)| *offset).collect()
    })
}

#[tokio::test(start_paused = true)]
async fn p_2_offsets_without_messages_are_receipts_and_leave_no_hole() {
    let (servers, measures) = (Servers::start(), Measures::default());
    let _installed = measures.install();
    // Two messages and a marker, two aborted ones and a marker, then a message and the last marker.
    produce(&servers, 1..=2);
    servers.kafka.leave_out(PARTITION, 4);
    produce(&servers, [3]);
    servers.kafka.leave_out(PARTITION, 1);
    let sink = Sink::start(&servers);
    stored_up_to(&servers, 7).await;
    // The end counts once two snapshots agree.
    servers.kafka.a_second_passes().await;
    assert_eq!(servers.store.ids(RECEIPTS), ["fitbit.steps/0/0/2-5"]);
    servers.kafka.a_second_passes().await;
    stored_up_to(&servers, 8).await;
    assert_eq!(
        servers.store.ids(RECEIPTS),
        ["fitbit.steps/0/0/2-5", "fitbit.steps/0/0/7-7"]
    );
    assert_eq!(servers.store.accounted(0), (0..8).collect::<Vec<_>>());
    assert_eq!((measures.sum(GAPS), measures.sum(LOST)), (5.0, 0.0));
    sink.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn p_2_an_examination_counts_for_nothing_when_messages_came_meanwhile() {
    let servers = Servers::start();
    produce(&servers, [1]);
    servers.kafka.leave_out(PARTITION, 1);
    let sink = Sink::start(&servers);
    stored_up_to(&servers, 1).await;
    let examining = servers.kafka.script.hold(KafkaCall::Watermarks);
    servers.kafka.a_second_passes().await;
    servers.kafka.a_second_passes().await;
    examining.arrived().await;
    produce(&servers, [2]);
    stored_up_to(&servers, 3).await;
    examining.release();
    servers.kafka.a_second_passes().await;
    assert_eq!(servers.store.ids(RECEIPTS), ["fitbit.steps/0/0/1-1"]);
    sink.stop().await.unwrap();
    assert_eq!(servers.store.accounted(0), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn p_2_what_kafka_deleted_is_a_loss_and_never_a_receipt() {
    let (servers, measures) = (Servers::start(), Measures::default());
    let _installed = measures.install();
    produce(&servers, 1..=5);
    servers.kafka.trim(PARTITION, 3);
    let sink = Sink::start(&servers);
    stored_up_to(&servers, 5).await;
    assert_eq!((begun(&servers), measures.sum(LOST)), (vec![3], 3.0));
    // Deleted while it was read: what lies before the log start is lost, the rest is empty.
    servers.kafka.leave_out(PARTITION, 4);
    servers.kafka.trim(PARTITION, 7);
    produce(&servers, [6]);
    stored_up_to(&servers, 10).await;
    assert_eq!(servers.store.ids(RECEIPTS), ["fitbit.steps/0/0/7-8"]);
    assert_eq!(measures.sum(LOST), 5.0);
    assert_eq!(servers.store.accounted(0), [3, 4, 7, 8, 9]);
    sink.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_position_passes_lost_offsets_even_when_no_message_ever_comes() {
    let servers = Servers::start();
    produce(&servers, 1..=3);
    servers.kafka.trim(PARTITION, 3);
    let sink = Sink::start(&servers);
    stored_up_to(&servers, 3).await;
    sink.stop().await.unwrap();
    assert_eq!(
        servers.kafka.peek(|cluster| cluster.committed_at(PARTITION)),
        Some(3)
    );
    assert_eq!(servers.store.accounted(0), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn p_2_a_message_that_only_the_second_reading_finds_stops_the_sink() {
    let servers = Servers::start();
    produce(&servers, [1]);
    servers.kafka.pass_over(PARTITION, payload(steps(2, 5)));
    produce(&servers, [3]);
    let error = Sink::start(&servers).ended().await.unwrap_err();
    let SinkError::PassedOver { offsets, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(offsets, [1]);
    assert_eq!(servers.kafka.peek(|cluster| cluster.stored_at(PARTITION)), None);
}

#[tokio::test(start_paused = true)]
async fn p_4_a_recreated_topic_opens_an_incarnation_and_starts_at_0() {
    let servers = Servers::start();
    let old = servers.kafka.topic_id(PARTITION.source);
    produce(&servers, 1..=3);
    let sink = Sink::start_with(&servers, small_batches());
    stored_up_to(&servers, 3).await;
    servers.kafka.create_topic(PARTITION.source);
    produce(&servers, 4..=8);
    // The consumer goes on at offset 3: its messages are of another topic, and none is written.
    servers
        .kafka
        .until("joining again", |cluster| cluster.rejoined == 1)
        .await;
    assert_eq!(servers.store.ids(STEPS).len(), 3);
    servers.kafka.rebalance(RebalanceKind::Revoke, &[PARTITION]);
    servers.kafka.rebalance(RebalanceKind::Assign, &[PARTITION]);
    stored_up_to(&servers, 5).await;
    sink.stop().await.unwrap();
    let new = servers.kafka.topic_id(PARTITION.source);
    let topic = PARTITION.source.topic().to_owned();
    assert_eq!(
        servers.store.opened(),
        [(topic.clone(), 0, old), (topic, 1, new.clone())]
    );
    assert_eq!(begun(&servers), [0, 0]);
    assert_eq!(servers.store.ids(STEPS).len(), 8);
    assert_eq!(servers.store.ids(DEAD_LETTERS), [""; 0]);
    let committed = servers
        .kafka
        .peek(|cluster| cluster.committed[&PARTITION].clone());
    assert_eq!((committed.offset, committed.topic_id), (5, new));
}

#[tokio::test(start_paused = true)]
async fn p_4_a_topic_with_an_older_id_stops_the_sink() {
    let servers = Servers::start();
    let topic = PARTITION.source.topic();
    let current = servers.kafka.topic_id(PARTITION.source);
    servers.store.open(topic, 0, &current);
    servers.store.open(topic, 1, "a newer one");
    let error = Sink::start(&servers).ended().await.unwrap_err();
    assert!(
        matches!(error, SinkError::OldTopicId { newest: 1, .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn p_4_members_that_open_an_incarnation_at_once_share_it() {
    let servers = Servers::start();
    let opening = servers.store.script.hold(StoreCall::OpenIncarnation);
    let sink = Sink::start(&servers);
    opening.arrived().await;
    let topic_id = servers.kafka.topic_id(PARTITION.source);
    servers.store.open(PARTITION.source.topic(), 0, &topic_id);
    opening.release();
    produce(&servers, [1]);
    stored_up_to(&servers, 1).await;
    assert_eq!(servers.store.opened().len(), 1);
    sink.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_end_before_the_committed_offset_is_waited_for_and_then_stops_the_sink() {
    let servers = Servers::start();
    let topic_id = servers.kafka.topic_id(PARTITION.source);
    servers.store.open(PARTITION.source.topic(), 0, &topic_id);
    servers.kafka.commit_by_hand(PARTITION, 3, &topic_id);
    produce(&servers, 1..=2);
    // A starting broker reports it for a moment.
    let sink = Sink::start(&servers);
    tokio::time::sleep(Duration::from_secs(5)).await;
    produce(&servers, 3..=4);
    stored_up_to(&servers, 4).await;
    assert_eq!(begun(&servers), [3]);
    sink.stop().await.unwrap();
    // It stays so: Kafka has lost what it had acknowledged.
    servers.kafka.truncate(PARTITION, 2);
    let error = Sink::start(&servers).ended().await.unwrap_err();
    let SinkError::Truncated { committed, end, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((committed, end), (4, 2));
}
