//! Metrics of the generator.
#![allow(clippy::disallowed_macros, reason = "this is the place for them")]

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use crate::plan::DeliveryKind;
use crate::produce::message::Route;

/// Value of the label `kind` for messages of a replay.
const REPLAYED: &str = "replayed";

const ISSUED: &str = "pulseline_generator_issued_total";
const ACKNOWLEDGED: &str = "pulseline_generator_acknowledged_total";
const FAILED: &str = "pulseline_generator_failed_total";
const READINGS: &str = "pulseline_generator_readings_total";
const DELIVERY: &str = "pulseline_generator_delivery_seconds";
const QUEUE_FULL: &str = "pulseline_generator_queue_full_seconds";

/// Describes every metric, and registers the counters at 0 so that the first event shows as a rate.
pub fn describe() {
    describe_counter!(ISSUED, "Messages handed to the producer, by stream and kind");
    describe_counter!(ACKNOWLEDGED, "Messages that Kafka has on all replicas, by stream");
    describe_counter!(FAILED, "Messages that the producer gave up, by stream");
    describe_counter!(READINGS, "Readings in acknowledged messages, by stream");
    describe_histogram!(
        DELIVERY,
        Unit::Seconds,
        "From handing a message to the producer to its acknowledgement"
    );
    describe_histogram!(
        QUEUE_FULL,
        Unit::Seconds,
        "Waits for room in the producer's queue: backpressure of Kafka"
    );
    for route in Route::all() {
        for name in [ACKNOWLEDGED, FAILED, READINGS] {
            counter!(name, "stream" => route.name()).absolute(0);
        }
        for kind in DeliveryKind::ALL
            .map(DeliveryKind::name)
            .into_iter()
            .chain([REPLAYED])
        {
            counter!(ISSUED, "stream" => route.name(), "kind" => kind).absolute(0);
        }
    }
}

pub(crate) fn record_issued(route: Route, kind: Option<DeliveryKind>) {
    let kind = kind.map_or(REPLAYED, DeliveryKind::name);
    counter!(ISSUED, "stream" => route.name(), "kind" => kind).increment(1);
}

pub(crate) fn record_acknowledged(route: Route, readings: u64, after: Duration) {
    counter!(ACKNOWLEDGED, "stream" => route.name()).increment(1);
    counter!(READINGS, "stream" => route.name()).increment(readings);
    histogram!(DELIVERY).record(after.as_secs_f64());
}

pub(crate) fn record_failed(route: Route) {
    counter!(FAILED, "stream" => route.name()).increment(1);
}

pub(crate) fn record_queue_full(waited: Duration) {
    histogram!(QUEUE_FULL).record(waited.as_secs_f64());
}
