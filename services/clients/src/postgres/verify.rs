//! Certificate verification as in libpq, where rustls alone would be stricter.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Decode as _, Tag, Tagged as _};
use x509_cert::ext::pkix::SubjectAltName;

/// The negotiated TLS version; empty before a handshake.
pub(super) type Agreed = Arc<Mutex<Option<&'static str>>>;

/// What to verify.
#[derive(Debug)]
pub(super) enum Check {
    /// Nothing.
    Nothing,
    /// That one of these CAs issued it.
    Authority {
        webpki: Arc<WebPkiServerVerifier>,
        roots: Vec<CertificateDer<'static>>,
        /// Also that it is for the requested host.
        is_for_host: bool,
    },
}

/// Verifies certificates, and records the TLS version.
#[derive(Debug)]
pub(super) struct Verifier {
    check: Check,
    algorithms: WebPkiSupportedAlgorithms,
    agreed: Agreed,
}

impl Verifier {
    pub(super) fn new(check: Check, algorithms: WebPkiSupportedAlgorithms, agreed: Agreed) -> Self {
        Self {
            check,
            algorithms,
            agreed,
        }
    }

    fn note(&self, version: &'static str) {
        *self.agreed.lock().unwrap_or_else(PoisonError::into_inner) = Some(version);
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (webpki, roots, is_for_host) = match &self.check {
            Check::Nothing => return Ok(ServerCertVerified::assertion()),
            Check::Authority {
                webpki,
                roots,
                is_for_host,
            } => (webpki, roots, *is_for_host),
        };
        let verified = webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(Error::InvalidCertificate(reason)) = verified else {
            return verified;
        };
        // The name is checked last, after a valid chain.
        let is_wrong_name = is_about_name(&reason);
        let is_known =
            is_wrong_name || (is_overruled_by_trust(&reason) && roots.iter().any(|root| root == end_entity));
        if !is_known {
            return Err(reason.into());
        }
        let certificate = Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        if !is_wrong_name {
            is_in_time(&certificate, now)?;
        }
        if is_for_host && !is_named(&certificate, end_entity, server_name) {
            let unnamed = CertificateError::NotValidForName;
            return Err(if is_wrong_name { reason } else { unnamed }.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note("TLSv1.2");
        match self.check {
            Check::Nothing => Ok(HandshakeSignatureValid::assertion()),
            Check::Authority { .. } => verify_tls12_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note("TLSv1.3");
        match self.check {
            Check::Nothing => Ok(HandshakeSignatureValid::assertion()),
            Check::Authority { .. } => verify_tls13_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn is_about_name(reason: &CertificateError) -> bool {
    matches!(
        reason,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    )
}

/// Trusts a self-signed certificate in the root file, even if it is not a CA or not only a server certificate.
fn is_overruled_by_trust(reason: &CertificateError) -> bool {
    matches!(
        reason,
        CertificateError::UnknownIssuer | CertificateError::Other(_)
    )
}

fn is_in_time(certificate: &Certificate, now: UnixTime) -> Result<(), Error> {
    let validity = &certificate.tbs_certificate.validity;
    let now = now.as_secs();
    if now < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// Checks subject alternative names, and the common name only when there are none, as in libpq.
fn is_named(certificate: &Certificate, der: &CertificateDer<'_>, host: &ServerName<'_>) -> bool {
    if matches!(certificate.tbs_certificate.get::<SubjectAltName>(), Ok(None)) {
        let host = host.to_str();
        return common_name(certificate).is_some_and(|name| is_match(&name, &host));
    }
    rustls::server::ParsedCertificate::try_from(der)
        .is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, host).is_ok())
}

fn common_name(certificate: &Certificate) -> Option<String> {
    let parts = certificate.tbs_certificate.subject.0.iter();
    let found = parts
        .flat_map(|part| part.0.iter())
        .find(|part| part.oid == COMMON_NAME)?;
    let name = match found.value.tag() {
        Tag::PrintableString => PrintableStringRef::try_from(&found.value)
            .ok()?
            .as_str()
            .to_owned(),
        _ => Utf8StringRef::try_from(&found.value).ok()?.as_str().to_owned(),
    };
    Some(name)
}

/// `*.example.com` matches one label.
fn is_match(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(suffix) = name.strip_prefix("*.") else {
        return false;
    };
    host.split_once('.')
        .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(is_match("DB.example.com", "db.example.com"));
        assert!(is_match("*.example.com", "db.example.com"));
        assert!(!is_match("*.example.com", "a.db.example.com"));
        assert!(!is_match("*.example.com", "example.com"));
        assert!(!is_match("*", "localhost"));
    }
}
