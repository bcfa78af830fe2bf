//! Errors of a partition: none is swallowed. It passes by itself, or it ends the sink with what has to be done.

use pulseline_clients::kafka::class_of;
use pulseline_runtime::retry::Class;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::error::SinkError;

/// What polling returned, when no waiting fixes it. The client recovers by itself from outages and from what the group
/// does; anything else would leave a partition standing without a word, and ends the sink.
pub(crate) fn unreadable(error: KafkaError) -> Result<KafkaError, SinkError> {
    use RDKafkaErrorCode as Code;
    let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
    let recovers = matches!(
        error.rdkafka_error_code(),
        Some(
            // The position is beyond the log: the client goes to where the topic begins, and the jump is examined (P2).
            Code::OffsetOutOfRange
                | Code::AutoOffsetReset
                | Code::LogTruncation
                // It joins its group again.
                | Code::PollExceeded
                | Code::AssignmentLost
                // The commit is repeated with the next one.
                | Code::NoOffset
                | Code::PartitionEOF
                // A broker that stops in the middle of a handshake says no more; what no waiting fixes, the guard reports.
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
            "a batch is packed with a codec that this program was built without; let its producer use another \
             compression.type, or run a build that has it"
        }
        Some(Code::BadCompression | Code::BadMessage | Code::InvalidMessage) => {
            "a batch is damaged where the broker keeps it; restore it, or move the group's offset past it"
        }
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed,
        ) => "let this client read the topics fitbit.* and the group sink.group",
        Some(Code::SaslAuthenticationFailed) => {
            "the settings under [kafka] are not those that the brokers expect"
        }
        Some(Code::FencedInstanceId) => "another sink runs under the same sink.instance",
        _ => "no waiting fixes this; whoever runs the brokers has to look",
    }
}

#[cfg(test)]
mod tests {
    use pulseline_runtime::retry::Classify;

    use super::*;

    #[test]
    fn a1_an_error_of_a_partition_is_waited_out_or_ends_the_sink_and_is_never_swallowed() {
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
