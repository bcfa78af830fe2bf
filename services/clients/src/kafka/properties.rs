//! librdkafka properties that `kafka.options` must not set, and why.

/// Properties with their own setting.
const SETTINGS: [(&str, &str); 22] = [
    ("bootstrap.servers", "kafka.brokers"),
    ("metadata.broker.list", "kafka.brokers"),
    ("security.protocol", "kafka.security_protocol"),
    ("ssl.ca.location", "kafka.ssl_ca"),
    ("ssl.certificate.location", "kafka.ssl_certificate"),
    ("ssl.key.location", "kafka.ssl_key"),
    ("ssl.key.password", "kafka.ssl_key_password"),
    ("sasl.mechanism", "kafka.sasl_mechanism"),
    ("sasl.mechanisms", "kafka.sasl_mechanism"),
    ("sasl.username", "kafka.sasl_username"),
    ("sasl.password", "kafka.sasl_password"),
    ("message.max.bytes", "kafka.message_bytes_max"),
    ("group.id", "sink.group"),
    ("group.instance.id", "sink.instance"),
    ("group.protocol", "sink.group_protocol"),
    ("session.timeout.ms", "sink.session_timeout_ms"),
    ("heartbeat.interval.ms", "sink.session_timeout_ms"),
    ("auto.commit.interval.ms", "sink.commit_interval_ms"),
    ("statistics.interval.ms", "sink.statistics_interval_ms"),
    ("queued.max.messages.kbytes", "sink.queued_kbytes"),
    ("sasl.oauthbearer.client.id", "kafka.oauth_client_id"),
    ("sasl.oauthbearer.client.secret", "kafka.oauth_client_secret"),
];

/// Properties that a guarantee depends on.
const GUARANTEES: [(&str, &str); 18] = [
    (
        "enable.auto.commit",
        "offsets are committed after their documents are durable",
    ),
    (
        "enable.auto.offset.store",
        "offsets are stored after their documents are durable",
    ),
    ("auto.offset.reset", "a lost position is reported, not skipped"),
    ("isolation.level", "messages of aborted transactions are not data"),
    (
        "enable.partition.eof",
        "the end of a partition distinguishes gaps from messages not yet produced",
    ),
    (
        "partition.assignment.strategy",
        "partitions are handed over one by one",
    ),
    ("allow.auto.create.topics", "reading must not create a topic"),
    ("enable.idempotence", "a resent message must not be stored twice"),
    ("acks", "a message counts as sent once all replicas have it"),
    (
        "request.required.acks",
        "a message counts as sent once all replicas have it",
    ),
    (
        "max.in.flight",
        "with more than one request an acknowledged message can be lost",
    ),
    (
        "max.in.flight.requests.per.connection",
        "with more than one request an acknowledged message can be lost",
    ),
    ("partitioner", "a device keeps its partition"),
    ("message.timeout.ms", "messages keep their order during an outage"),
    (
        "delivery.timeout.ms",
        "messages keep their order during an outage",
    ),
    ("transactional.id", "the producer has no transactions"),
    (
        "plugin.library.paths",
        "it would load foreign libraries into Pulseline",
    ),
    (
        "enable.sasl.oauthbearer.unsecure.jwt",
        "an unsigned token proves nothing",
    ),
];

/// The reason why a property must not be set; none when it may be.
pub(super) fn refused(property: &str) -> Option<String> {
    if let Some((_, setting)) = SETTINGS.iter().find(|(name, _)| *name == property) {
        return Some(format!(
            "kafka.options: {property} is not allowed here: set {setting} instead"
        ));
    }
    let (_, reason) = GUARANTEES.iter().find(|(name, _)| *name == property)?;
    Some(format!(
        "kafka.options: {property} must not be changed ({reason}): remove it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_relied_on_is_refused_by_name_with_its_reason_and_the_rest_passes() {
        let setting = refused("sasl.password").unwrap();
        assert!(setting.contains("kafka.sasl_password"), "{setting}");
        let guarantee = refused("acks").unwrap();
        assert!(
            guarantee.contains("acks") && guarantee.contains("replicas"),
            "{guarantee}"
        );
        assert!(refused("client.rack").is_none() && refused("socket.timeout.ms").is_none());
    }
}
