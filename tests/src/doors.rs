//! Kafka with secured listeners: SASL over TLS, client certificates, and a wrong certificate.

use pulseline_stack::{Extras, Listener};

use anyhow::Result;

use crate::certificates::{Certificates, Pair};
use crate::servers::free_port;

/// User of SCRAM and PLAIN.
pub const USER: &str = "pulseline";
/// Its password.
pub const PASSWORD: &str = "right-secret";

/// Addresses of the listeners.
pub struct Doors {
    /// `SASL_SSL`: SCRAM-SHA-512, SCRAM-SHA-256, PLAIN, OAUTHBEARER.
    pub sasl: String,
    /// SSL; the server requires a client certificate.
    pub mutual: String,
    /// SSL with a certificate of another host.
    pub wrong_host: String,
    /// SSL with an expired certificate.
    pub expired: String,
}

impl Doors {
    /// Chooses ports, and returns them with Kafka's settings.
    ///
    /// # Errors
    /// When no port is free.
    pub fn choose(certificates: &Certificates) -> Result<(Self, Extras)> {
        let ports = [free_port()?, free_port()?, free_port()?, free_port()?];
        let [sasl, mutual, wrong_host, expired] = ports;
        let listener = |name: &str, protocol: &str, port: u16, pair: &Pair, more: &[(&str, &str)]| Listener {
            name: name.into(),
            protocol: protocol.into(),
            port,
            advertised: format!("localhost:{port}"),
            properties: keystore(certificates, pair)
                .into_iter()
                .chain(more.iter().map(|(name, value)| ((*name).into(), (*value).into())))
                .collect(),
        };
        let server = certificates.server();
        let plain = format!("{MODULES}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";");
        let scram = format!("{MODULES}.scram.ScramLoginModule required;");
        let bearer = format!(
            "{MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";"
        );
        let mechanisms = [
            (
                "sasl.enabled.mechanisms",
                "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN,OAUTHBEARER",
            ),
            ("plain.sasl.jaas.config", &plain),
            ("scram-sha-512.sasl.jaas.config", &scram),
            ("scram-sha-256.sasl.jaas.config", &scram),
            ("oauthbearer.sasl.jaas.config", &bearer),
        ];
        let asks = [("ssl.client.auth", "required")];
        let user = |mechanism: &str| format!("{mechanism}=[name={USER},password={PASSWORD}]");
        let extras = Extras {
            listeners: vec![
                listener("SASL", "SASL_SSL", sasl, &server, &mechanisms),
                listener("MUTUAL", "SSL", mutual, &server, &asks),
                listener("WRONGHOST", "SSL", wrong_host, &certificates.wrong_host(), &[]),
                listener("EXPIRED", "SSL", expired, &certificates.expired(), &[]),
            ],
            scram_users: vec![user("SCRAM-SHA-512"), user("SCRAM-SHA-256")],
            ..Extras::default()
        };
        let at = |port| format!("localhost:{port}");
        let doors = Self {
            sasl: at(sasl),
            mutual: at(mutual),
            wrong_host: at(wrong_host),
            expired: at(expired),
        };
        Ok((doors, extras))
    }
}

/// A plain listener behind a link. It advertises the link's address, so that no client bypasses the link.
#[must_use]
pub fn behind(link: &str, port: u16) -> Extras {
    let listener = Listener {
        name: "LINK".into(),
        protocol: "PLAINTEXT".into(),
        port,
        advertised: link.into(),
        properties: Vec::new(),
    };
    Extras {
        listeners: vec![listener],
        ..Extras::default()
    }
}

const MODULES: &str = "org.apache.kafka.common.security";

fn keystore(certificates: &Certificates, pair: &Pair) -> Vec<(String, String)> {
    [
        ("ssl.keystore.type", "PEM".to_owned()),
        ("ssl.keystore.location", pair.bundle.display().to_string()),
        ("ssl.truststore.type", "PEM".to_owned()),
        (
            "ssl.truststore.location",
            certificates.authority_file().display().to_string(),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
