//! Which properties of librdkafka are not for `kafka.options`, and why.

/// Properties that have a setting of their own.
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

/// Properties on which a guarantee rests.
const GUARANTEES: [(&str, &str); 16] = [
    (
        "enable.auto.commit",
        "offsets are committed once their documents are durable",
    ),
    (
        "enable.auto.offset.store",
        "offsets are stored once their documents are durable",
    ),
    (
        "auto.offset.reset",
        "a position that is gone is examined and reported, not jumped over",
    ),
    ("isolation.level", "messages of aborted transactions are not data"),
    (
        "enable.partition.eof",
        "the end of a partition tells gaps from messages that are still to come",
    ),
    (
        "partition.assignment.strategy",
        "partitions are handed over one by one",
    ),
    (
        "allow.auto.create.topics",
        "a topic that is read must not come into being by reading",
    ),
    (
        "enable.idempotence",
        "a message that is sent again must not be stored twice",
    ),
    ("acks", "a message counts as sent once all replicas have it"),
    (
        "request.required.acks",
        "a message counts as sent once all replicas have it",
    ),
    ("partitioner", "a device keeps its partition"),
    ("message.timeout.ms", "an outage is waited out in order"),
    ("delivery.timeout.ms", "an outage is waited out in order"),
    ("transactional.id", "the producer has no transactions"),
    (
        "plugin.library.paths",
        "it would load other libraries into Pulseline",
    ),
    (
        "enable.sasl.oauthbearer.unsecure.jwt",
        "a token that nobody signed proves nothing",
    ),
];

/// Why a property may not be set by hand; none when it may.
pub(super) fn refused(property: &str) -> Option<String> {
    if let Some((_, setting)) = SETTINGS.iter().find(|(name, _)| *name == property) {
        return Some(format!("kafka.options: {property} is set by {setting}"));
    }
    let (_, reason) = GUARANTEES.iter().find(|(name, _)| *name == property)?;
    Some(format!(
        "kafka.options: {property} cannot be changed: {reason}. Remove it"
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
