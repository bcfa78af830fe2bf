//! Errors of an invalid URI, with its secrets removed.

use mongodb::error::{Error, ErrorKind};

/// Options whose values are secrets.
const SECRET_OPTIONS: [&str; 3] = [
    "tlscertificatekeyfilepassword=",
    "authmechanismproperties=",
    "proxypassword=",
];
const HIDDEN: &str = "***";

/// The driver's error about a URI.
pub(super) fn refused(uri: &str, error: &Error) -> String {
    let said = error.kind.to_string();
    if said.contains("MONGODB-AWS") && !cfg!(feature = "aws") {
        return "mongo.uri: this program was built without MONGODB-AWS: build pulseline-clients with its feature `aws`, \
                or choose another authMechanism"
            .into();
    }
    let why = match error.kind.as_ref() {
        ErrorKind::Io(io) => format!("cannot read a file that it names: {io}"),
        _ => hidden(&said, &secrets(uri)),
    };
    format!("mongo.uri: {why}")
}

/// Every part of a URI that may be a secret. With an unencoded `/` or `@` in the password, the driver misparses its parts
/// and would quote them.
fn secrets(uri: &str) -> Vec<&str> {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let credentials = rest.rsplit_once('@').map_or("", |(credentials, _)| credentials);
    let password = credentials.split_once(':').map_or("", |(_, password)| password);
    let options = rest.split_once('?').map_or("", |(_, options)| options);
    let values = options.split('&').filter_map(|option| {
        let name_length = SECRET_OPTIONS
            .iter()
            .find(|name| option.to_lowercase().starts_with(**name))
            .map(|name| name.len())?;
        option.get(name_length..)
    });
    let mut secrets: Vec<&str> = std::iter::once(password)
        .chain(values)
        .flat_map(|secret| {
            std::iter::once(secret).chain(secret.split(['/', '@', ':', '?', '&', '=', ',', '%']))
        })
        .filter(|part| !part.is_empty())
        .collect();
    // Longest first.
    secrets.sort_by_key(|part| std::cmp::Reverse(part.len()));
    secrets
}

fn hidden(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        // Masking a single letter would garble the sentence, and reveals nothing.
        if secret.len() > 1 {
            text = text.replace(secret, HIDDEN);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_password_are_secrets_wherever_they_land() {
        let uri = "mongodb://user:a/bc@de@host:27017/?tlsCertificateKeyFilePassword=sesame&w=1";
        let secrets = secrets(uri);
        for part in ["a/bc@de", "bc", "de", "sesame"] {
            assert!(secrets.contains(&part), "{part}: {secrets:?}");
        }
        assert!(!secrets.contains(&"user") && !secrets.contains(&"1"));
        assert_eq!(
            hidden("invalid port: bc@de in sesame", &secrets),
            "invalid port: ***@*** in ***"
        );
        assert!(super::secrets("mongodb://host/?w=1").is_empty());
    }
}
