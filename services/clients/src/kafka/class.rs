//! The one table of Kafka's errors: which of them pass by waiting.

use pulseline_runtime::retry::Class;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Connections: no broker can be reached, or one went away.
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
/// The client itself still waits for an answer, or asks to be called again.
const CLIENT: [Code; 7] = [
    Code::WaitingForCoordinator,
    Code::WaitCache,
    Code::InProgress,
    Code::PreviousInProgress,
    Code::Outdated,
    Code::Retry,
    Code::QueueFull,
];
/// A topic that was just made, or will be.
const TOPIC: [Code; 4] = [
    Code::UnknownTopicOrPartition,
    Code::UnknownTopic,
    Code::UnknownTopicId,
    Code::UnknownPartition,
];
/// An election, or replicas that are too few for a moment.
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
/// The group's coordinator moves, or the group itself changes.
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
/// A broker that is overloaded, or whose disk fails.
const BROKER: [Code; 3] = [
    Code::OffsetNotAvailable,
    Code::KafkaStorageError,
    Code::ThrottlingQuotaExceeded,
];

/// What an error of the client means. What is not known to pass is fatal.
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

/// The client's code. Its own look-up knows none for what an admin request answers.
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
        // An admin request in the very moment in which the broker goes.
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
