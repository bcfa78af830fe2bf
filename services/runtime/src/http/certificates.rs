//! The server's certificate and key, reloaded when the files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::config::HttpConfig;

/// How often the files are read: modification times do not show the swap of a mounted secret's symlink.
const PAUSE: Duration = Duration::from_secs(2);

/// The two files and their last content.
#[derive(Debug)]
pub(super) struct Certificates {
    section: &'static str,
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    /// Content of the files at the last read, or the error.
    seen: Result<[u8; 32], String>,
    current: Arc<Current>,
}

/// The certificate for new handshakes.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Result of a reload.
#[derive(Debug, PartialEq, Eq)]
enum Reload {
    /// No change.
    Unchanged,
    /// A new certificate, now in use.
    Taken,
    /// Invalid files; the previous certificate stays in use.
    Kept(String),
}

impl Certificates {
    /// Reads both files.
    ///
    /// # Errors
    /// The setting whose file cannot be used, and why.
    pub(super) async fn read(section: &'static str, config: &HttpConfig) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (certificate, key) = (config.tls_certificate.clone(), config.tls_key.clone());
        let files = Files::read(section, &certificate, &key).await?;
        let certified = files.certified(section, &provider)?;
        Ok(Self {
            section,
            certificate,
            key,
            provider,
            seen: Ok(files.digest()),
            current: Arc::new(Current(RwLock::new(Arc::new(certified)))),
        })
    }

    /// TLS configuration that always uses the current certificate.
    pub(super) fn server_config(&self) -> Result<ServerConfig, String> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?;
        let resolver = Arc::clone(&self.current);
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Reloads the files periodically; never returns.
    pub(super) async fn watch(&mut self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            let section = self.section;
            match self.reload().await {
                Reload::Unchanged => {}
                Reload::Taken => {
                    tracing::info!(section, "certificate reloaded: new connections use it");
                }
                Reload::Kept(why) => {
                    tracing::warn!(
                        section,
                        why,
                        "cannot use the new certificate: the previous one stays in use"
                    );
                }
            }
        }
    }

    async fn reload(&mut self) -> Reload {
        let files = Files::read(self.section, &self.certificate, &self.key).await;
        let seen = files.as_ref().map(Files::digest).map_err(Clone::clone);
        if seen == self.seen {
            return Reload::Unchanged;
        }
        self.seen = seen;
        match files.and_then(|files| files.certified(self.section, &self.provider)) {
            Ok(certified) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
                Reload::Taken
            }
            Err(why) => Reload::Kept(why),
        }
    }
}

/// Content of the two files.
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    async fn read(section: &str, certificate: &Path, key: &Path) -> Result<Self, String> {
        let read = async |setting: &str, path: &Path| {
            let read = tokio::fs::read(path).await;
            read.map_err(|error| format!("{section}.{setting}: cannot read {}: {error}", path.display()))
        };
        Ok(Self {
            certificate: read("tls_certificate", certificate).await?,
            key: read("tls_key", key).await?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let certificate = Sha256::digest(&self.certificate);
        Sha256::new()
            .chain_update(certificate)
            .chain_update(&self.key)
            .finalize()
            .into()
    }

    /// Errors never quote the key file.
    fn certified(&self, section: &str, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|_| format!("{section}.tls_certificate is not a PEM file"))?;
        if chain.is_empty() {
            return Err(format!("{section}.tls_certificate contains no PEM certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| format!("{section}.tls_key contains no unencrypted PEM private key"))?;
        CertifiedKey::from_der(chain, key, provider)
            .map_err(|error| format!("{section}.tls_key does not match {section}.tls_certificate: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, certificate: &str, key: &str) {
        std::fs::write(folder.join("tls.crt"), certificate).unwrap();
        std::fs::write(folder.join("tls.key"), key).unwrap();
    }

    /// A certificate and its key.
    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    async fn read(folder: &Path) -> Result<Certificates, String> {
        let config = HttpConfig {
            tls_certificate: folder.join("tls.crt"),
            tls_key: folder.join("tls.key"),
            ..HttpConfig::default()
        };
        Certificates::read("console", &config).await
    }

    #[tokio::test]
    async fn files_that_cannot_be_used_are_refused_by_their_setting() {
        let folder = tempfile::tempdir().unwrap();
        let said = read(folder.path()).await.unwrap_err();
        assert!(
            said.contains("console.tls_certificate") && said.contains("tls.crt"),
            "{said}"
        );
        let (one, other) = (pair(), pair());
        for (certificate, key, named) in [
            ("", one.1.as_str(), "console.tls_certificate"),
            ("hunter2", &one.1, "console.tls_certificate"),
            (&one.0, "", "console.tls_key"),
            (&one.0, "hunter2", "console.tls_key"),
            (&one.0, &one.0, "console.tls_key"),
            (&one.0, &other.1, "does not match"),
        ] {
            write(folder.path(), certificate, key);
            let said = read(folder.path()).await.unwrap_err();
            assert!(said.contains(named) && !said.contains("hunter2"), "{said}");
        }
        write(folder.path(), &one.0, &one.1);
        assert!(read(folder.path()).await.unwrap().server_config().is_ok());
    }

    #[tokio::test]
    async fn new_files_are_taken_and_broken_ones_leave_the_old_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (pair(), pair());
        write(folder.path(), &one.0, &one.1);
        let mut certificates = read(folder.path()).await.unwrap();
        let current = Arc::clone(&certificates.current);
        let shown = || current.0.read().unwrap().cert.clone();
        let (first, no_key) = (shown(), "console.tls_key");
        assert_eq!(certificates.reload().await, Reload::Unchanged);

        // The certificate is already written, the key is not.
        write(folder.path(), &other.0, &one.1);
        assert!(matches!(certificates.reload().await, Reload::Kept(why) if why.contains(no_key)));
        assert_eq!(certificates.reload().await, Reload::Unchanged, "said once");
        assert_eq!(shown(), first);

        write(folder.path(), &other.0, &other.1);
        assert_eq!(certificates.reload().await, Reload::Taken);
        assert_ne!(shown(), first);

        std::fs::remove_file(folder.path().join("tls.key")).unwrap();
        assert!(matches!(certificates.reload().await, Reload::Kept(why) if why.contains(no_key)));
        assert_ne!(shown(), first);
        write(folder.path(), &one.0, &one.1);
        assert_eq!(certificates.reload().await, Reload::Taken);
        assert_eq!(shown(), first);
    }
}
