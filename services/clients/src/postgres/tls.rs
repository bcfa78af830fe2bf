//! TLS settings: the mode, CAs, revocation lists and our certificate, from the files that libpq reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use pulseline_runtime::config::Secret;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::error::SettingsError;
use super::key;
use super::parameters::Parameters;
use super::verify::{Agreed, Check, Verifier};

/// The CAs that this machine trusts.
const SYSTEM: &str = "system";
/// libpq's folder below the home directory.
const ROOT_FILE: &str = ".postgresql/root.crt";
const CRL_FILE: &str = ".postgresql/root.crl";
const CERTIFICATE_FILE: &str = ".postgresql/postgresql.crt";
const KEY_FILE: &str = ".postgresql/postgresql.key";
/// The ALPN protocol of direct TLS.
const ALPN: &[u8] = b"postgresql";

/// TLS mode, with libpq's names and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Only if the server refuses a connection without TLS.
    Allow,
    /// If the server supports it; otherwise without TLS.
    Prefer,
    /// Always; verifies the certificate if a root certificate file exists.
    Require,
    /// Always, with a certificate of a trusted CA for any name.
    VerifyCa,
    /// Always, with a certificate of a trusted CA for this host.
    VerifyFull,
}

const SSL_MODES: [(&str, SslMode); 6] = [
    ("disable", SslMode::Disable),
    ("allow", SslMode::Allow),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

/// How much of the server's certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Nothing: an interceptor can read along.
    Nothing,
    /// That a trusted CA issued it.
    Authority,
    /// That a trusted CA issued it for this host.
    AuthorityAndHost,
}

/// TLS settings of a connection.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) config: ClientConfig,
    pub(super) checked: Checked,
    agreed: Agreed,
}

impl Tls {
    /// Takes the version that the last handshake negotiated.
    pub(super) fn take_version(&self) -> Option<&'static str> {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// True when every connection uses TLS.
pub(super) fn is_certain(mode: SslMode) -> bool {
    matches!(mode, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull)
}

/// The mode that the settings ask for.
pub(super) fn ssl_mode(given: &Parameters) -> Result<SslMode, SettingsError> {
    let is_system = given.get("sslrootcert") == Some(SYSTEM);
    // As in JDBC URLs, which libpq accepts too.
    let of_ssl = given.word("ssl", &[("true", SslMode::Require)])?;
    let asked = given.word("sslmode", &SSL_MODES)?.or(of_ssl);
    match asked {
        Some(mode) if is_system && mode != SslMode::VerifyFull => Err(given.wrong(
            "sslmode",
            "verify-full when sslrootcert is system: anyone can get a certificate from a public CA",
        )),
        Some(mode) => Ok(mode),
        None if is_system => Ok(SslMode::VerifyFull),
        None => Ok(SslMode::Prefer),
    }
}

/// Reads all files. This happens at each connection, so a renewed certificate needs no restart.
pub(super) fn read(given: &Parameters, mode: SslMode, is_direct: bool) -> Result<Tls, SettingsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let agreed = Agreed::default();
    let (check, checked) = check(given, mode, &provider)?;
    let verifier = Verifier::new(
        check,
        provider.signature_verification_algorithms,
        Arc::clone(&agreed),
    );
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(given)?)
        .map_err(|_| given.wrong("ssl_min_protocol_version", "not above ssl_max_protocol_version"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match own_certificate(given)? {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| given.wrong("sslkey", &format!("the key of the certificate ({error})")))?,
    };
    config.resumption = Resumption::disabled();
    config.enable_sni = given
        .word("sslsni", &[("0", false), ("1", true)])?
        .unwrap_or(true);
    if is_direct {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Ok(Tls {
        config,
        checked,
        agreed,
    })
}

fn versions(given: &Parameters) -> Result<Vec<&'static SupportedProtocolVersion>, SettingsError> {
    // TLS 1.2 is the minimum, whatever the setting.
    let words: [(&str, usize); 4] = [("TLSv1", 0), ("TLSv1.1", 0), ("TLSv1.2", 0), ("TLSv1.3", 1)];
    let min = given.word("ssl_min_protocol_version", &words)?.unwrap_or(0);
    let max = given.word("ssl_max_protocol_version", &words[2..])?.unwrap_or(1);
    let spoken = [&rustls::version::TLS12, &rustls::version::TLS13];
    Ok(spoken.get(min..=max).unwrap_or_default().to_vec())
}

/// As in libpq: with a root certificate file every mode verifies the chain; only verify-full checks the name.
fn check(
    given: &Parameters,
    mode: SslMode,
    provider: &Arc<CryptoProvider>,
) -> Result<(Check, Checked), SettingsError> {
    let Some(roots) = authorities(given)? else {
        return match mode {
            SslMode::VerifyCa | SslMode::VerifyFull => Err(SettingsError::NoAuthority),
            _ => Ok((Check::Nothing, Checked::Nothing)),
        };
    };
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(roots.iter().cloned());
    if added == 0 {
        return Err(given.wrong("sslrootcert", "a PEM file with certificates; it contains none"));
    }
    let revoked = revocations(given)?;
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .with_crls(revoked)
        .build()
        .map_err(|error| given.wrong("sslcrl", &format!("a list of revocations ({error})")))?;
    let (is_for_host, checked) = match mode {
        SslMode::VerifyFull => (true, Checked::AuthorityAndHost),
        _ => (false, Checked::Authority),
    };
    let check = Check::Authority {
        webpki,
        roots,
        is_for_host,
    };
    Ok((check, checked))
}

fn authorities(given: &Parameters) -> Result<Option<Vec<CertificateDer<'static>>>, SettingsError> {
    if given.get("sslrootcert") == Some(SYSTEM) {
        let found = rustls_native_certs::load_native_certs().certs;
        if found.is_empty() {
            return Err(given.wrong(
                "sslrootcert",
                "a file: this machine has no CA certificates (install ca-certificates)",
            ));
        }
        return Ok(Some(found));
    }
    let Some(path) = existing(given, "sslrootcert", ROOT_FILE) else {
        return Ok(None);
    };
    certificates(given, "sslrootcert", &path).map(Some)
}

fn revocations(given: &Parameters) -> Result<Vec<CertificateRevocationListDer<'static>>, SettingsError> {
    let Some(path) = existing(given, "sslcrl", CRL_FILE) else {
        return Ok(Vec::new());
    };
    let text = text(given, "sslcrl", &path)?;
    CertificateRevocationListDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(given, "sslcrl", &path, &error))
}

type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn own_certificate(given: &Parameters) -> Result<Option<Own>, SettingsError> {
    let is_sent = given.word("sslcertmode", &[("disable", false), ("allow", true)])?;
    if is_sent == Some(false) {
        return Ok(None);
    }
    let Some(path) = existing(given, "sslcert", CERTIFICATE_FILE) else {
        return if given.names("sslkey") {
            Err(given.wrong("sslcert", "set together with sslkey"))
        } else {
            Ok(None)
        };
    };
    let chain = certificates(given, "sslcert", &path)?;
    if chain.is_empty() {
        return Err(given.wrong("sslcert", "a PEM file with certificates; it contains none"));
    }
    let path = given
        .file("sslkey", KEY_FILE)
        .ok_or_else(|| given.wrong("sslkey", "set together with sslcert"))?;
    let text = text(given, "sslkey", &path)?;
    let password = Secret::new(given.get("sslpassword").unwrap_or_default());
    let key = key::read(&text, &password).map_err(|expected| given.wrong("sslkey", expected))?;
    Ok(Some((chain, key)))
}

/// A configured file, or libpq's default file if it exists.
fn existing(given: &Parameters, name: &str, default: &str) -> Option<PathBuf> {
    let path = given.file(name, default)?;
    (given.names(name) || path.exists()).then_some(path)
}

fn certificates(
    given: &Parameters,
    name: &str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let text = text(given, name, path)?;
    CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(given, name, path, &error))
}

fn text(given: &Parameters, name: &str, path: &Path) -> Result<Vec<u8>, SettingsError> {
    fs::read(path).map_err(|error| unreadable(given, name, path, &error))
}

fn unreadable(given: &Parameters, name: &str, path: &Path, error: &dyn std::error::Error) -> SettingsError {
    SettingsError::File {
        setting: given.label(name),
        path: path.to_owned(),
        cause: error.to_string(),
    }
}
