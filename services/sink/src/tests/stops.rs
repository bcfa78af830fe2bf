//! Stops, outages and rebalances: what is committed is stored, and nothing is lost.

use pulseline_clients::kafka::KafkaFailure;
use pulseline_runtime::waits::Hop;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::{STEPS, Sink, produce, small_batches, stored_up_to};
use crate::broker::RebalanceKind;
use crate::error::SinkError;
use crate::scripted::{KafkaCall, Measures, PARTITION, Servers, StoreCall};

const RETRIES: &str = "pulseline_sink_own_retries_total";
const LAG: &str = "pulseline_sink_lag_messages";
const PARTITIONS: &str = "pulseline_sink_partitions";

/// Servers with a partition of so many events.
fn servers_with(events: u128) -> Servers {
    let servers = Servers::start();
    produce(&servers, 1..=events);
    servers
}

#[tokio::test(start_paused = true)]
async fn d_1_a_stop_finishes_what_was_accepted_and_commits_exactly_that() {
    let (servers, measures) = (servers_with(20), Measures::default());
    let _installed = measures.install();
    let storing = servers.store.script.hold(StoreCall::Insert(STEPS));
    let sink = Sink::start_with(&servers, small_batches());
    // One batch is flushed, the next one is full, and more is read already.
    storing.arrived().await;
    servers
        .kafka
        .until("a pause", |cluster| cluster.is_paused(PARTITION))
        .await;
    sink.shutdown.stop();
    storing.release();
    sink.ended().await.unwrap();
    let committed = servers.kafka.peek(|cluster| cluster.committed_at(PARTITION));
    assert_eq!(committed, Some(6));
    assert_eq!(servers.store.accounted(0), [0, 1, 2, 3, 4, 5]);
    // The next one goes on from there, and reads nothing twice.
    let sink = Sink::start_with(&servers, small_batches());
    stored_up_to(&servers, 20).await;
    sink.stop().await.unwrap();
    assert_eq!(
        servers.kafka.peek(|cluster| cluster.begun.clone()),
        [(PARTITION, 0), (PARTITION, 6)]
    );
    assert_eq!(servers.store.ids(STEPS).len(), 20);
    assert_eq!(measures.sum(RETRIES), 0.0);
}

#[tokio::test(start_paused = true)]
async fn d_1_an_outage_holds_a_stop_up_and_a_second_signal_abandons_what_is_not_stored() {
    let (servers, measures) = (Servers::start(), Measures::default());
    let _installed = measures.install();
    let sink = Sink::start(&servers);
    servers
        .kafka
        .until("an assignment", |cluster| cluster.is_assigned(PARTITION))
        .await;
    servers.kafka.a_second_passes().await;
    assert!(sink.health.is_ready());
    servers.store.script.set_away(true);
    produce(&servers, 1..=5);
    servers.store.script.until_rejected(2).await;
    // It says what it waits for, and how much waits.
    let waits = sink.shutdown.waits().now();
    assert_eq!(
        (waits[0].hop, waits[0].what.as_str()),
        (Hop::Mongo, "storing events")
    );
    assert!(!sink.health.is_ready());
    servers.kafka.a_second_passes().await;
    assert_eq!(measures.sum(LAG), 5.0);
    sink.shutdown.stop();
    servers.store.script.until_rejected(3).await;
    assert!(
        !sink.running.is_finished(),
        "the first signal must not abandon a batch"
    );
    sink.shutdown.abandon();
    assert!(matches!(sink.ended().await, Err(SinkError::Abandoned)));
    let committed = servers.kafka.peek(|cluster| cluster.committed_at(PARTITION));
    assert_eq!((committed, servers.store.ids(STEPS).len()), (None, 0));

    servers.store.script.set_away(false);
    let sink = Sink::start(&servers);
    stored_up_to(&servers, 5).await;
    sink.stop().await.unwrap();
    assert_eq!(servers.store.accounted(0), [0, 1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn d_1_revoked_partitions_are_given_back_once_all_that_was_read_is_committed() {
    let servers = servers_with(2);
    let (storing, committing) = (
        servers.store.script.hold(StoreCall::Insert(STEPS)),
        servers.kafka.script.hold(KafkaCall::Commit),
    );
    let sink = Sink::start(&servers);
    storing.arrived().await;
    servers.kafka.rebalance(RebalanceKind::Revoke, &[PARTITION]);
    servers.kafka.a_second_passes().await;
    assert_eq!(servers.kafka.peek(|cluster| cluster.stored_at(PARTITION)), None);
    // What comes now is left to the next owner.
    produce(&servers, [3]);
    storing.release();
    committing.arrived().await;
    assert!(servers.kafka.peek(|cluster| cluster.is_assigned(PARTITION)));
    committing.release();
    servers
        .kafka
        .until("its return", |cluster| !cluster.is_assigned(PARTITION))
        .await;
    assert_eq!(
        servers.kafka.peek(|cluster| cluster.committed_at(PARTITION)),
        Some(2)
    );
    servers.kafka.rebalance(RebalanceKind::Assign, &[PARTITION]);
    stored_up_to(&servers, 3).await;
    sink.stop().await.unwrap();
    assert_eq!(servers.store.accounted(0), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn d_1_lost_partitions_commit_nothing_and_store_nothing_twice() {
    let (servers, measures) = (servers_with(2), Measures::default());
    let _installed = measures.install();
    let storing = servers.store.script.hold(StoreCall::Insert(STEPS));
    let sink = Sink::start(&servers);
    storing.arrived().await;
    servers.kafka.rebalance(RebalanceKind::Lost, &[PARTITION]);
    servers
        .kafka
        .until("its loss", |cluster| !cluster.is_assigned(PARTITION))
        .await;
    assert_eq!(measures.sum(PARTITIONS), 0.0);
    storing.release();
    servers.kafka.a_second_passes().await;
    assert_eq!(servers.kafka.peek(|cluster| cluster.stored_at(PARTITION)), None);
    assert_eq!(servers.store.accounted(0), [0, 1]);
    // Assigned again, the messages are recognised.
    servers.kafka.rebalance(RebalanceKind::Assign, &[PARTITION]);
    stored_up_to(&servers, 2).await;
    sink.stop().await.unwrap();
    assert_eq!(servers.store.accounted(0), [0, 1]);
    assert_eq!(measures.sum(RETRIES), 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_closed_intake_pauses_its_partitions_and_resumes_them() {
    let servers = servers_with(9);
    let storing = servers.store.script.hold(StoreCall::Insert(STEPS));
    let sink = Sink::start_with(&servers, small_batches());
    storing.arrived().await;
    servers
        .kafka
        .until("a pause", |cluster| cluster.is_paused(PARTITION))
        .await;
    storing.release();
    stored_up_to(&servers, 9).await;
    assert!(!servers.kafka.peek(|cluster| cluster.is_paused(PARTITION)));
    sink.stop().await.unwrap();
    assert_eq!(servers.store.accounted(0), (0..9).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_kafka_passes_and_what_waiting_does_not_fix_stops_the_sink() {
    let servers = servers_with(1);
    servers
        .kafka
        .report_error(KafkaError::MessageConsumption(Code::AllBrokersDown));
    let sink = Sink::start(&servers);
    stored_up_to(&servers, 1).await;
    servers
        .kafka
        .report_error(KafkaError::MessageConsumption(Code::NotImplemented));
    assert!(matches!(sink.ended().await, Err(SinkError::Unreadable { .. })));

    let sink = Sink::start(&servers);
    servers.kafka.refuse("the password is wrong");
    let error = sink.ended().await.unwrap_err();
    assert!(
        matches!(error, SinkError::Kafka(KafkaFailure::Refused(_))),
        "{error}"
    );
}
