//! What an error of a TLS handshake means, and which setting to correct.

use std::error::Error as StdError;
use std::io;

use pulseline_runtime::retry::Class;
use rustls::{AlertDescription as Alert, CertificateError, Error};

const OTHER_NAME: &str = "give the host in timescale.url by a name that the certificate has, or sslmode=verify-ca to \
    leave the name unchecked";

/// The TLS error that an error came from. An I/O error that wraps it does not count it among its sources.
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

/// Before there is a session: what both sides will say again stops, an accident passes.
pub(super) fn class_of(error: &Error) -> Class {
    match error {
        Error::AlertReceived(
            Alert::InternalError | Alert::UserCanceled | Alert::CloseNotify | Alert::UnexpectedMessage,
        ) => Class::Transient,
        // Everything else both sides would say again: certificates, versions, or no TLS at all behind the port.
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
            "the server knows no direct TLS (PostgreSQL 17 does): leave sslnegotiation out of timescale.url"
                .to_owned()
        }
        Error::InvalidMessage(_) => {
            format!("what answers does not speak TLS ({error}): correct host and port in timescale.url")
        }
        other => format!("TLS failed: {other}: see the settings that begin with ssl in timescale.url"),
    }
}

fn explain_certificate(reason: &CertificateError) -> (&'static str, &'static str) {
    match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "was not issued by an authority that is trusted here",
            "give the file of its authority as sslrootcert in timescale.url",
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
            "is of an authority that sslcrl in timescale.url says nothing about",
            "add the authority's list to that file",
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
            "the server refuses our certificate ({alert:?}): correct sslcert and sslkey in timescale.url"
        );
    }
    format!(
        "the server ends the TLS handshake ({alert:?}): it may speak no version of TLS from 1.2 on, or no cipher of ours"
    )
}
