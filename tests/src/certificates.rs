//! Certificates of a test: an authority, servers and clients, valid and invalid ones, created when the test starts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// Password of [`Certificates::encrypted_key`].
pub const KEY_PASSWORD: &str = "opens-the-key";
/// Common name of the client's certificate: the role or user that it authenticates.
pub const CLIENT: &str = "pulseline";

/// PEM files in a folder of their own, which is removed on drop.
pub struct Certificates {
    folder: TempDir,
}

/// Paths of a certificate and its key.
pub struct Pair {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, PKCS#8.
    pub key: PathBuf,
    /// Key and certificate in one file, as Kafka and `MongoDB`'s URI take them.
    pub bundle: PathBuf,
}

impl Certificates {
    /// Creates all certificates.
    ///
    /// # Errors
    /// A folder that cannot be written, or a missing `openssl`.
    pub fn make() -> Result<Self> {
        let folder = TempDir::new()?;
        let made = Self { folder };
        let good = made.authority("ca")?;
        let other = made.authority("other-ca")?;
        let here = ["localhost", "127.0.0.1"];
        made.leaf("server", &good, &here, |_| ())?;
        made.leaf("wrong-host", &good, &["elsewhere.example"], |_| ())?;
        made.leaf("expired", &good, &here, |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        })?;
        made.leaf("client", &good, &[], |_| ())?;
        made.leaf("stranger", &other, &[], |_| ())?;
        made.encrypt("client")?;
        Ok(made)
    }

    /// Certificate of the authority that signed all certificates but the stranger's.
    #[must_use]
    pub fn authority_file(&self) -> PathBuf {
        self.path("ca.crt")
    }

    /// Certificate of an authority that signed no server certificate.
    #[must_use]
    pub fn other_authority_file(&self) -> PathBuf {
        self.path("other-ca.crt")
    }

    /// A server on this machine.
    #[must_use]
    pub fn server(&self) -> Pair {
        self.pair("server")
    }

    /// A server whose certificate names another host.
    #[must_use]
    pub fn wrong_host(&self) -> Pair {
        self.pair("wrong-host")
    }

    /// A server on this machine whose certificate has expired.
    #[must_use]
    pub fn expired(&self) -> Pair {
        self.pair("expired")
    }

    /// A client that the servers accept: `CN=pulseline,O=Tests`.
    #[must_use]
    pub fn client(&self) -> Pair {
        self.pair("client")
    }

    /// A client of the other authority.
    #[must_use]
    pub fn stranger(&self) -> Pair {
        self.pair("stranger")
    }

    /// The client's key, encrypted with [`KEY_PASSWORD`].
    #[must_use]
    pub fn encrypted_key(&self) -> PathBuf {
        self.path("client.encrypted.key")
    }

    /// A folder for files of the test's own.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn pair(&self, name: &str) -> Pair {
        Pair {
            certificate: self.path(&format!("{name}.crt")),
            key: self.path(&format!("{name}.key")),
            bundle: self.path(&format!("{name}.pem")),
        }
    }

    fn authority(&self, name: &str) -> Result<Issuer<'static, KeyPair>> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        fs::write(self.pair(name).certificate, certificate.pem())?;
        Ok(Issuer::new(params, key))
    }

    fn leaf(
        &self,
        name: &str,
        issuer: &Issuer<'static, KeyPair>,
        hosts: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<()> {
        let key = KeyPair::generate()?;
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let is_client = hosts.is_empty();
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name = named(if is_client { CLIENT } else { name });
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![if is_client {
            ExtendedKeyUsagePurpose::ClientAuth
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        }];
        change(&mut params);
        let certificate = params.signed_by(&key, issuer)?.pem();
        let pair = self.pair(name);
        fs::write(pair.certificate, &certificate)?;
        write_private(&pair.key, &key.serialize_pem())?;
        fs::write(pair.bundle, key.serialize_pem() + &certificate)?;
        Ok(())
    }

    fn encrypt(&self, name: &str) -> Result<()> {
        let pair = self.pair(name);
        let status = Command::new("openssl")
            .args(["pkcs8", "-topk8", "-v2", "aes256", "-passout"])
            .arg(format!("pass:{KEY_PASSWORD}"))
            .arg("-in")
            .arg(&pair.key)
            .arg("-out")
            .arg(self.encrypted_key())
            .status()
            .context("openssl is missing: scripts/test installs it")?;
        ensure!(status.success(), "openssl could not encrypt a key");
        Ok(())
    }
}

/// libpq refuses a key that others may read.
fn write_private(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Tests");
    name.push(DnType::CommonName, common_name);
    name
}
