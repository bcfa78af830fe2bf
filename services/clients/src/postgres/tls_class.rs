//! Classes of TLS handshake errors, and the setting to correct.

use std::error::Error as StdError;
use std::io;

use pulseline_runtime::retry::Class;
use rustls::{AlertDescription as Alert, CertificateError, Error};

const OTHER_NAME: &str = "use a host name of the certificate in timescale.url, or set sslmode=verify-ca to \
    skip the name check";

/// The TLS error behind an error. A wrapping I/O error does not list it as a source.
pub(super) fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(tls) = inner.downcast_ref::<Error>() {
            return Some(tls);
        }
        let wrapped = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(tls) = wrapped.and_then(|wrapped| wrapped.downcast_ref::<Error>()) {
            return Some(tls);
        }
        cause = inner.source();
    }
    None
}

/// The class: a repeatable disagreement is fatal, an accident is transient.
pub(super) fn class_of(error: &Error) -> Class {
    match error {
        Error::AlertReceived(
            Alert::InternalError | Alert::UserCanceled | Alert::CloseNotify | Alert::UnexpectedMessage,
        ) => Class::Transient,
        // Repeatable: certificates, versions, or a port without TLS.
        _ => Class::Fatal,
    }
}

pub(super) fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => {
            let host = expected.to_str();
            let names = if presented.is_empty() {
                "no host at all".to_owned()
            } else {
                presented.join(", ")
            };
            format!("the server's certificate is for {names} and not for {host}: {OTHER_NAME}")
        }
        Error::InvalidCertificate(reason) => {
            let (what, todo) = explain_certificate(reason);
            if todo.is_empty() {
                return format!("the server's certificate is refused: {reason}");
            }
            format!("the server's certificate {what}: {todo}")
        }
        Error::AlertReceived(alert) => explain_alert(*alert),
        Error::NoApplicationProtocol => {
            "the server does not support direct TLS (PostgreSQL 17 does): remove sslnegotiation from timescale.url"
                .to_owned()
        }
        Error::InvalidMessage(_) => {
            format!("the server does not speak TLS ({error}): correct host and port in timescale.url")
        }
        other => format!("TLS failed: {other}: check the ssl parameters in timescale.url"),
    }
}

fn explain_certificate(reason: &CertificateError) -> (&'static str, &'static str) {
    match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "was not issued by a trusted CA",
            "set sslrootcert in timescale.url to the CA's file",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("has expired", "renew it on the server, or correct the clock here")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            "is not valid yet",
            "correct the clocks of the server and of this machine",
        ),
        CertificateError::NotValidForName => ("is for another host", OTHER_NAME),
        CertificateError::Revoked => (
            "was revoked",
            "renew it on the server; sslcrl in timescale.url lists it",
        ),
        CertificateError::UnknownRevocationStatus => (
            "comes from a CA that sslcrl in timescale.url does not cover",
            "add the CA's revocation list to that file",
        ),
        _ => ("", ""),
    }
}

fn explain_alert(alert: Alert) -> String {
    let is_about_us = matches!(
        alert,
        Alert::BadCertificate
            | Alert::NoCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
    );
    if is_about_us {
        return format!(
            "the server rejects our certificate ({alert:?}): correct sslcert and sslkey in timescale.url"
        );
    }
    format!("the server ended the TLS handshake ({alert:?}): it may lack TLS 1.2 or a common cipher")
}
