//! Causes of failed TLS handshakes, and whether a retry can help. Shared by registry and MongoDB.

use std::error::Error;
use std::io;

use rustls::AlertDescription as Alert;

/// Describes the first permanent TLS error in a chain of causes: an untrusted or expired certificate, one for another host,
/// or a server that refuses ours.
pub(crate) fn refusal(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return is_lasting(tls).then(|| describe(&tls.to_string()));
        }
        // An I/O error does not list its inner error as a cause.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// As [`refusal`], for errors known as text only.
pub(crate) fn refusal_in(text: &str) -> Option<String> {
    if let Some((_, reason)) = text.split_once(CERTIFICATE) {
        return Some(describe(&format!("{CERTIFICATE}{}", first_of(reason))));
    }
    let (_, alert) = text.split_once(ALERT)?;
    let alert = first_of(alert);
    LASTING_ALERTS
        .iter()
        .any(|lasting| format!("{lasting:?}") == alert)
        .then(|| describe(&format!("{ALERT}{alert}")))
}

/// Prefix of rustls' message about an invalid server certificate.
const CERTIFICATE: &str = "invalid peer certificate: ";
/// Prefix of rustls' message about a fatal alert from the server.
const ALERT: &str = "received fatal alert: ";

/// Alerts that persist until a certificate or a setting changes. The others (`InternalError`,
/// `DecodeError`, `CloseNotify` …) come from servers that start or stop, or from broken connections.
const LASTING_ALERTS: [Alert; 13] = [
    Alert::HandshakeFailure,
    Alert::NoCertificate,
    Alert::BadCertificate,
    Alert::UnsupportedCertificate,
    Alert::CertificateRevoked,
    Alert::CertificateExpired,
    Alert::CertificateUnknown,
    Alert::UnknownCA,
    Alert::AccessDenied,
    Alert::ProtocolVersion,
    Alert::InsufficientSecurity,
    Alert::UnrecognisedName,
    Alert::CertificateRequired,
];

fn is_lasting(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::PeerIncompatible(_) => true,
        rustls::Error::AlertReceived(alert) => LASTING_ALERTS.contains(alert),
        // An answer without TLS may come from a proxy whose server is unreachable.
        _ => false,
    }
}

/// The reason without the labels or struct syntax that follow it in the drivers' texts.
fn first_of(text: &str) -> &str {
    let end = [", labels", " }"].iter().filter_map(|end| text.find(end)).min();
    text.get(..end.unwrap_or(text.len())).unwrap_or(text).trim()
}

/// rustls' message with an explanation for the operator.
fn describe(said: &str) -> String {
    let meaning = if said.contains("UnknownIssuer") {
        "no trusted CA has signed it"
    } else if said.contains("xpired") {
        "the certificate has expired"
    } else if said.contains("NotValidForName") || said.contains("not valid for name") {
        "it is for another host name"
    } else if said.contains("CertificateRequired") {
        "the server requires a client certificate"
    } else if said.contains("UnknownCA") {
        "the server does not trust the CA of our certificate"
    } else {
        return format!("TLS: {said}");
    };
    format!("TLS: {said} ({meaning})")
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    fn wrapped(error: rustls::Error) -> io::Error {
        io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn a_refused_certificate_is_found_below_other_errors() {
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let said = refusal(&wrapped(unknown)).unwrap();
        assert!(
            said.contains("UnknownIssuer") && said.contains("trusted CA"),
            "{said}"
        );
        let required = rustls::Error::AlertReceived(Alert::CertificateRequired);
        assert!(
            refusal(&wrapped(required))
                .unwrap()
                .contains("client certificate")
        );
    }

    #[test]
    fn what_a_server_in_trouble_says_is_no_refusal() {
        assert_eq!(refusal(&io::Error::from(io::ErrorKind::ConnectionReset)), None);
        let broken = rustls::Error::AlertReceived(Alert::InternalError);
        assert_eq!(refusal(&wrapped(broken)), None);
        let plain = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert_eq!(refusal(&wrapped(plain)), None);
    }

    #[test]
    fn a_refusal_is_found_in_text_as_in_an_error() {
        for error in [
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer),
            rustls::Error::InvalidCertificate(CertificateError::Expired),
            rustls::Error::InvalidCertificate(CertificateError::NotValidForName),
            rustls::Error::AlertReceived(Alert::CertificateRequired),
            rustls::Error::AlertReceived(Alert::UnknownCA),
        ] {
            let text = format!("{{ Error: Kind: I/O error: {error}, labels: {{}} }}");
            assert_eq!(refusal_in(&text), refusal(&error), "{text}");
            assert!(refusal_in(&text).unwrap().contains('('), "{text}");
        }
        assert_eq!(refusal_in("received fatal alert: InternalError, labels"), None);
        assert_eq!(refusal_in("connection refused"), None);
    }
}
