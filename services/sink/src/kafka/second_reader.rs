//! Short-lived consumers outside the group, which read messages again. They block.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use pulseline_clients::kafka::{Guard, Settings};
use pulseline_runtime::batch::Limits;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::client::raw_of;
use crate::error::SinkError;
use crate::gaps::OfTopic;
use crate::source::{Partition, Raw, SourceTopic};

/// How long one poll for gaps waits.
const POLL: Duration = Duration::from_millis(200);

/// Reads the gaps of one topic again, all its partitions with one client, and returns the positions that hold a message
/// after all.
///
/// Each partition is read until a message after its last gap, or the partition's end, has been seen.
pub(super) fn read_again(
    settings: &Settings,
    source: SourceTopic,
    gaps: &OfTopic,
    patience: Duration,
) -> Result<Vec<(Partition, i64)>, SinkError> {
    let topic = source.topic();
    let failed = SinkError::kafka("reading gaps again");
    let mut list = TopicPartitionList::new();
    for (number, gaps) in gaps {
        if let Some(first) = gaps.first() {
            list.add_partition_offset(topic, *number, Offset::Offset(first.from))
                .map_err(failed)?;
        }
    }
    let elements = list.elements();
    let mut left: BTreeSet<i32> = elements.iter().map(|element| element.partition()).collect();
    if left.is_empty() {
        return Ok(Vec::new());
    }
    let consumer: BaseConsumer<Guard> = settings.create()?;
    consumer.assign(&list).map_err(failed)?;
    let mut found = Vec::new();
    let mut deadline = Instant::now() + patience;
    loop {
        // A partition that has reached its end is not fetched any further.
        let ended = match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let (number, offset) = (message.partition(), message.offset());
                let gaps = gaps.get(&number).map_or(&[][..], Vec::as_slice);
                if gaps.iter().any(|gap| gap.contains(offset)) {
                    found.push((Partition { source, number }, offset));
                }
                gaps.last().is_none_or(|last| offset >= last.to).then_some(number)
            }
            // The event does not name its topic, but this client reads only one.
            Some(Err(KafkaError::PartitionEOF(number))) => Some(number),
            Some(Err(error)) => return Err(failed(error)),
            None if Instant::now() >= deadline => {
                let number = left.first().copied().unwrap_or_default();
                return Err(SinkError::SlowGap {
                    partition: Partition { source, number }.to_string(),
                });
            }
            None => continue,
        };
        deadline = Instant::now() + patience;
        let Some(number) = ended.filter(|number| left.remove(number)) else {
            continue;
        };
        if left.is_empty() {
            return Ok(found);
        }
        let mut done = TopicPartitionList::new();
        done.add_partition(topic, number);
        consumer.pause(&done).map_err(failed)?;
    }
}

/// Reads messages from the first offset on. Ends at the first message at or after the end of the range, at the end of
/// the partition, or when full.
pub(super) fn read_range(
    settings: &Settings,
    partition: Partition,
    offsets: &Range<i64>,
    (limits, patience): (Limits, Duration),
) -> Result<Vec<Raw>, SinkError> {
    let failed = SinkError::kafka("reading messages again");
    let consumer: BaseConsumer<Guard> = settings.create()?;
    let mut start = TopicPartitionList::new();
    start
        .add_partition_offset(
            partition.source.topic(),
            partition.number,
            Offset::Offset(offsets.start),
        )
        .map_err(&failed)?;
    consumer.assign(&start).map_err(&failed)?;
    let (mut raws, mut bytes) = (Vec::new(), 0);
    while raws.len() < limits.batch_rows && bytes < limits.batch_bytes {
        match consumer.poll(patience) {
            Some(Ok(message)) if message.offset() >= offsets.end => break,
            Some(Ok(message)) => {
                bytes += message.payload_len();
                let is_last = message.offset() + 1 == offsets.end;
                raws.extend(raw_of(&message));
                if is_last {
                    break;
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) => return Err(failed(error)),
            None => {
                return Err(SinkError::SlowGap {
                    partition: partition.to_string(),
                });
            }
        }
    }
    Ok(raws)
}
