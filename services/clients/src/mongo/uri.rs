//! Why a URI is refused, without what must not be told of it.

use mongodb::error::{Error, ErrorKind};

/// Options whose values are secrets.
const SECRET_OPTIONS: [&str; 3] = [
    "tlscertificatekeyfilepassword=",
    "authmechanismproperties=",
    "proxypassword=",
];
const HIDDEN: &str = "***";

/// What the driver says about a URI, for people.
pub(super) fn refused(uri: &str, error: &Error) -> String {
    let said = error.kind.to_string();
    if said.contains("MONGODB-AWS") && !cfg!(feature = "aws") {
        return "mongo.uri: this program was built without MONGODB-AWS: build pulseline-clients with its feature `aws`, \
                or choose another authMechanism"
            .into();
    }
    let why = match error.kind.as_ref() {
        ErrorKind::Io(io) => format!("a file that it names cannot be read: {io}"),
        _ => hidden(&said, &secrets(uri)),
    };
    format!("mongo.uri: {why}")
}

/// Everything of a URI that may be a secret. Whoever forgets to encode a `/` or an `@` of the password puts its parts where
/// the driver takes them for something else, and tells them.
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
    // The whole before its parts.
    secrets.sort_by_key(|part| std::cmp::Reverse(part.len()));
    secrets
}

fn hidden(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        // A part of one letter would hide half of the sentence, and tells nothing.
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
