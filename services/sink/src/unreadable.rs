//! Errors of a partition. None is swallowed: it passes by itself, or it ends the sink and tells the operator what to do.

use pulseline_clients::kafka::class_of;
use pulseline_runtime::retry::Class;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::error::SinkError;

/// Classifies a polling error that waiting does not fix. The client recovers by itself from outages and
/// rebalances; any other error would block a partition silently, so it ends the sink.
pub(crate) fn unreadable(error: KafkaError) -> Result<KafkaError, SinkError> {
    use RDKafkaErrorCode as Code;
    let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
    let recovers = matches!(
        error.rdkafka_error_code(),
        Some(
            // The position is beyond the log: the client seeks to the log start, and the jump is examined (P2).
            Code::OffsetOutOfRange
                | Code::AutoOffsetReset
                | Code::LogTruncation
                // The client rejoins its group.
                | Code::PollExceeded
                | Code::AssignmentLost
                // The next commit repeats this one.
                | Code::NoOffset
                | Code::PartitionEOF
                // A broker that stops during a handshake gives no reason; the guard reports a permanent refusal.
                | Code::Authentication
                | Code::SSL
        )
    );
    if !is_fatal && (recovers || class_of(&error) == Class::Transient) {
        return Ok(error);
    }
    let advice = advice(error.rdkafka_error_code());
    Err(SinkError::Unreadable {
        source: error,
        advice,
    })
}

fn advice(code: Option<RDKafkaErrorCode>) -> &'static str {
    use RDKafkaErrorCode as Code;
    match code {
        Some(Code::NotImplemented) => {
            "a batch uses a compression codec that this program does not include; let its producer use another \
             compression.type, or run a build that has it"
        }
        Some(Code::BadCompression | Code::BadMessage | Code::InvalidMessage) => {
            "a batch is corrupt on the broker; restore it, or move the group's offset past it"
        }
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed,
        ) => "allow this client to read the topics fitbit.* and the group sink.group",
        Some(Code::SaslAuthenticationFailed) => {
            "the brokers expect other settings; correct those under [kafka]"
        }
        Some(Code::FencedInstanceId) => "another sink uses the same sink.instance; give each sink its own",
        _ => "waiting does not fix this; check the brokers",
    }
}

#[cfg(test)]
mod tests {
    use pulseline_runtime::retry::Classify;

    use super::*;

    #[test]
    fn p_19_an_error_of_a_partition_is_waited_out_or_ends_the_sink_and_is_never_ignored() {
        use RDKafkaErrorCode as Code;
        let passes = |code| unreadable(KafkaError::MessageConsumption(code)).is_ok();
        for code in [
            Code::AllBrokersDown,
            Code::NotLeaderForPartition,
            Code::UnknownTopicOrPartition,
            Code::OffsetOutOfRange,
            Code::PollExceeded,
        ] {
            assert!(passes(code), "{code:?}");
        }
        for code in [
            Code::NotImplemented,
            Code::BadCompression,
            Code::TopicAuthorizationFailed,
            Code::SaslAuthenticationFailed,
            Code::MessageSizeTooLarge,
            Code::CriticalSystemResource,
            Code::Unknown,
        ] {
            assert!(!passes(code), "{code:?}");
        }
        let said = unreadable(KafkaError::MessageConsumption(Code::NotImplemented)).unwrap_err();
        assert_eq!(said.class(), Class::Fatal);
        assert!(said.to_string().contains("codec"), "{said}");
        let fenced = KafkaError::MessageConsumptionFatal(Code::FencedInstanceId);
        let said = unreadable(fenced).unwrap_err();
        assert!(said.to_string().contains("sink.instance"), "{said}");
    }
}
