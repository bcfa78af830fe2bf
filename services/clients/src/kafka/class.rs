//! The table of Kafka's errors: which ones are transient.

use pulseline_runtime::retry::Class;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Connections: no broker is reachable, or a connection broke.
const CONNECTION: [Code; 10] = [
    Code::BrokerTransportFailure,
    Code::AllBrokersDown,
    Code::Resolve,
    Code::OperationTimedOut,
    Code::TimedOutQueue,
    Code::MessageTimedOut,
    Code::DestroyBroker,
    Code::NetworkException,
    Code::RequestTimedOut,
    Code::BrokerNotAvailable,
];
/// The client still waits for an answer, or asks for a retry.
const CLIENT: [Code; 7] = [
    Code::WaitingForCoordinator,
    Code::WaitCache,
    Code::InProgress,
    Code::PreviousInProgress,
    Code::Outdated,
    Code::Retry,
    Code::QueueFull,
];
/// A topic that was just created, or will be.
const TOPIC: [Code; 4] = [
    Code::UnknownTopicOrPartition,
    Code::UnknownTopic,
    Code::UnknownTopicId,
    Code::UnknownPartition,
];
/// A leader election, or temporarily too few in-sync replicas.
const ELECTION: [Code; 8] = [
    Code::LeaderNotAvailable,
    Code::NotLeaderForPartition,
    Code::ReplicaNotAvailable,
    Code::FencedLeaderEpoch,
    Code::UnknownLeaderEpoch,
    Code::NotController,
    Code::NotEnoughReplicas,
    Code::NotEnoughReplicasAfterAppend,
];
/// The group's coordinator moves, or the group rebalances.
const GROUP: [Code; 9] = [
    Code::CoordinatorLoadInProgress,
    Code::CoordinatorNotAvailable,
    Code::NotCoordinator,
    Code::RebalanceInProgress,
    Code::UnstableOffsetCommit,
    Code::IllegalGeneration,
    Code::UnknownMemberId,
    Code::StaleMemberEpoch,
    Code::FencedMemberEpoch,
];
/// An overloaded broker, or a failing disk.
const BROKER: [Code; 3] = [
    Code::OffsetNotAvailable,
    Code::KafkaStorageError,
    Code::ThrottlingQuotaExceeded,
];

/// The class of a client error. Unknown errors are fatal.
#[must_use]
pub fn class_of(error: &KafkaError) -> Class {
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Class::Fatal;
    }
    let passing = [&CONNECTION[..], &CLIENT, &TOPIC, &ELECTION, &GROUP, &BROKER];
    match code_of(error) {
        Some(code) if passing.iter().any(|codes| codes.contains(&code)) => Class::Transient,
        _ => Class::Fatal,
    }
}

/// The error code. The client's own look-up has none for admin results.
#[must_use]
pub fn code_of(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_and_elections_pass_and_the_rest_stops() {
        for code in [Code::AllBrokersDown, Code::NotController, Code::NotEnoughReplicas] {
            assert_eq!(
                class_of(&KafkaError::MetadataFetch(code)),
                Class::Transient,
                "{code:?}"
            );
        }
        // An admin request while the broker stops.
        let admin = KafkaError::AdminOp(Code::BrokerTransportFailure);
        assert_eq!(class_of(&admin), Class::Transient);
        for code in [
            Code::NotImplemented,
            Code::TopicAuthorizationFailed,
            Code::Authentication,
        ] {
            assert_eq!(
                class_of(&KafkaError::MessageConsumption(code)),
                Class::Fatal,
                "{code:?}"
            );
        }
        assert_eq!(
            class_of(&KafkaError::MessageConsumptionFatal(Code::FencedInstanceId)),
            Class::Fatal
        );
    }
}
