//! Permanent errors of a broker connection: certificates, users, passwords.

use rdkafka::error::RDKafkaErrorCode as Code;

/// The message for a permanent asynchronous error; none when a retry may help.
///
/// The reasons are quotes of librdkafka and OpenSSL (`rdkafka_transport.c`, `rdkafka_sasl*.c`).
pub(super) fn refusal(code: Option<Code>, reason: &str) -> Option<String> {
    let said = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    // Java brokers answer "bad certificate" to a client without one.
    if said(&[
        "certificate required",
        "peer did not return a certificate",
        "alert bad certificate",
        "alert unknown ca",
        "alert certificate",
        "alert unsupported certificate",
    ]) {
        return Some(sentence(
            reason,
            "the broker requires a client certificate that it trusts: set kafka.ssl_certificate and kafka.ssl_key",
        ));
    }
    if said(&["certificate verify failed", "hostname mismatch"]) {
        return Some(sentence(
            reason,
            "the broker's certificate cannot be verified: check kafka.ssl_ca, and that kafka.brokers uses the certificate's host name",
        ));
    }
    if said(&[
        "Unsupported SASL mechanism",
        "mechanism handshake failed",
        "not enabled in the server",
    ]) {
        return Some(sentence(
            reason,
            "the broker does not offer this SASL mechanism: check kafka.sasl_mechanism",
        ));
    }
    if code == Some(Code::Authentication) || code == Some(Code::SaslAuthenticationFailed) {
        // A starting or stopping broker closes the connection at the same point.
        let passes = said(&[
            "Disconnected",
            "timed out",
            "Connection reset",
            "Failed to acquire SASL OAUTHBEARER token",
        ]);
        return (!passes).then(|| {
            sentence(
                reason,
                "the broker rejects the credentials: check kafka.sasl_username and kafka.sasl_password",
            )
        });
    }
    None
}

fn sentence(reason: &str, advice: &str) -> String {
    format!("Kafka connection failed ({reason}): {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_its_setting_and_an_outage_is_none() {
        let cases = [
            (
                Code::SSL,
                "ssl://h:1/bootstrap: SSL handshake failed: certificate verify failed",
                "kafka.ssl_ca",
            ),
            (
                Code::SSL,
                "tlsv13 alert certificate required: SSL alert number 116",
                "kafka.ssl_certificate",
            ),
            (
                Code::Authentication,
                "SASL authentication error: invalid credentials",
                "kafka.sasl_password",
            ),
            (
                Code::Authentication,
                "Unsupported SASL mechanism: broker's supported mechanisms: PLAIN",
                "kafka.sasl_mechanism",
            ),
        ];
        for (code, reason, setting) in cases {
            let text = refusal(Some(code), reason).unwrap();
            assert!(text.contains(setting), "{text}");
        }
        assert!(
            refusal(
                Some(Code::BrokerTransportFailure),
                "Connect to h:1 failed: Connection refused"
            )
            .is_none()
        );
        assert!(refusal(Some(Code::SSL), "SSL handshake failed: Disconnected").is_none());
        assert!(refusal(Some(Code::Authentication), "Disconnected while authenticating").is_none());
    }
}
