//! The private key of our certificate in PEM; encrypted keys must be PKCS#8.

use pkcs8::der::asn1::OctetString;
use pulseline_runtime::config::Secret;
use rustls::pki_types::pem::{self, PemObject as _, SectionKind};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const NO_KEY: &str = "a PEM file with a private key; it contains none";
const OLD_ENCRYPTION: &str =
    "a key in encrypted PKCS#8: convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc`";
const NO_PASSWORD: &str = "an unencrypted key, or sslpassword must be set";
const NOT_DECRYPTED: &str = "a key that sslpassword decrypts";
/// OpenSSL's own encryption, from before PKCS#8.
const OLD_MARK: &[u8] = b"Proc-Type: 4,ENCRYPTED";
const ENCRYPTED_MARK: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// Reads the key, or describes the expected format.
pub(super) fn read(text: &[u8], password: &Secret) -> Result<PrivateKeyDer<'static>, &'static str> {
    if has(text, OLD_MARK) {
        return Err(OLD_ENCRYPTION);
    }
    if !has(text, ENCRYPTED_MARK) {
        return PrivateKeyDer::from_pem_slice(text).map_err(|_| NO_KEY);
    }
    if password.is_empty() {
        return Err(NO_PASSWORD);
    }
    let sealed = sealed(text).ok_or(NO_KEY)?;
    let sealed = pkcs8::EncryptedPrivateKeyInfo::<OctetString>::try_from(sealed.as_slice());
    let opened = sealed.map_err(|_| NO_KEY)?.decrypt(password.expose());
    let opened = opened.map_err(|_| NOT_DECRYPTED)?;
    Ok(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec()).into())
}

/// The content of an encrypted key. The PEM reader does not know its label, so the label is replaced.
fn sealed(text: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(text).replace("ENCRYPTED PRIVATE KEY-----", "PRIVATE KEY-----");
    let mut lines = text.as_bytes();
    loop {
        let (kind, der) = pem::from_buf(&mut lines).ok()??;
        if matches!(kind, SectionKind::PrivateKey) {
            return Some(der);
        }
    }
}

fn has(text: &[u8], mark: &[u8]) -> bool {
    text.windows(mark.len()).any(|window| window == mark)
}
