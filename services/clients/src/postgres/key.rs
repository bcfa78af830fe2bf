//! The key of our own certificate, as PEM; encrypted ones are PKCS#8.

use pkcs8::der::asn1::OctetString;
use pulseline_runtime::config::Secret;
use rustls::pki_types::pem::{self, PemObject as _, SectionKind};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const NO_KEY: &str = "a PEM file of a private key; it has none";
const OLD_ENCRYPTION: &str =
    "a key whose encryption is PKCS#8's: convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc`";
const NO_PASSWORD: &str = "a key that is not encrypted, or sslpassword given beside it";
const NOT_DECRYPTED: &str = "a key that sslpassword decrypts";
/// OpenSSL's own encryption, from before PKCS#8.
const OLD_MARK: &[u8] = b"Proc-Type: 4,ENCRYPTED";
const ENCRYPTED_MARK: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// Reads it, or says what it should have been.
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

/// What stands between the marks of an encrypted key. The reader of PEM does not know that kind, so it is shown as another.
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
