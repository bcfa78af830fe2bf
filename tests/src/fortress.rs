//! A world whose servers are all secured, and the settings for every way to connect.

use std::path::Path;

use anyhow::{Context, Result};
use bson::doc;

use crate::certificates::{Certificates, KEY_PASSWORD, Pair};
use crate::doors::{Doors, PASSWORD, USER};
use crate::servers::{Nginx, TokenEndpoint, nginx, tokens};
use crate::world::World;

/// The registry's API behind nginx.
const API: &str = "/apis/ccompat/v7";
/// The client certificate's subject, as MongoDB writes it.
const SUBJECT: &str = "CN=pulseline,O=Tests";

/// Environment variables of a program.
pub type Settings = Vec<(&'static str, String)>;

/// A world whose servers are all secured, and its proxies and identity provider.
pub struct Fortress {
    /// The servers. The test itself connects to Kafka and the registry without TLS, and to MongoDB by password.
    pub world: World,
    /// Valid and invalid certificates.
    pub certificates: Certificates,
    /// Kafka's listeners.
    pub doors: Doors,
    /// nginx in front of the registry.
    pub nginx: Nginx,
    /// Kafka's identity provider.
    pub tokens: TokenEndpoint,
    mongo: String,
}

impl Fortress {
    /// Starts the servers.
    ///
    /// # Errors
    /// A server that does not start.
    pub async fn build() -> Result<Self> {
        let certificates = Certificates::make()?;
        let (doors, mut extras) = Doors::choose(&certificates)?;
        let server = certificates.server();
        extras.mongo_arguments = [
            ("--tls-cert-file", server.certificate.as_path()),
            ("--tls-key-file", &server.key),
            ("--tls-ca-file", &certificates.authority_file()),
        ]
        .into_iter()
        .flat_map(|(name, file)| [name.to_owned(), file.display().to_string()])
        .collect();
        let mut world = World::start_with("doors", extras).await?;
        let address = host(&world.endpoints.mongo_uri)?;
        let mongo = address.replace("127.0.0.1", "localhost");
        let tls = format!("tls=true&tlsCAFile={}", certificates.authority_file().display());
        add_users(&format!("mongodb://{mongo}/?directConnection=true&{tls}")).await?;
        world.stack.restart_mongo_with(&["--auth"]).await?;
        world.endpoints.mongo_uri =
            format!("mongodb://{USER}:{PASSWORD}@{mongo}/?replicaSet=secantus&authSource=admin&{tls}");
        let registry = world.endpoints.registry_url.trim_start_matches("http://");
        let upstream = registry.split('/').next().context("no host")?;
        Ok(Self {
            nginx: Nginx::start(upstream, &certificates).await?,
            tokens: TokenEndpoint::start().await?,
            world,
            certificates,
            doors,
            mongo,
        })
    }

    /// Kafka by user and password.
    #[must_use]
    pub fn sasl(&self, mechanism: &str, user: &str, password: &str) -> Settings {
        vec![
            ("PULSELINE__KAFKA__BROKERS", self.doors.sasl.clone()),
            ("PULSELINE__KAFKA__SECURITY_PROTOCOL", "SASL_SSL".into()),
            (
                "PULSELINE__KAFKA__SSL_CA",
                shown(&self.certificates.authority_file()),
            ),
            ("PULSELINE__KAFKA__SASL_MECHANISM", mechanism.into()),
            ("PULSELINE__KAFKA__SASL_USERNAME", user.into()),
            ("PULSELINE__KAFKA__SASL_PASSWORD", password.into()),
        ]
    }

    /// Kafka by a token of the identity provider.
    #[must_use]
    pub fn bearer(&self, secret: &str) -> Settings {
        vec![
            ("PULSELINE__KAFKA__BROKERS", self.doors.sasl.clone()),
            ("PULSELINE__KAFKA__SECURITY_PROTOCOL", "SASL_SSL".into()),
            (
                "PULSELINE__KAFKA__SSL_CA",
                shown(&self.certificates.authority_file()),
            ),
            ("PULSELINE__KAFKA__SASL_MECHANISM", "OAUTHBEARER".into()),
            ("PULSELINE__KAFKA__OAUTH_TOKEN_URL", self.tokens.url().into()),
            ("PULSELINE__KAFKA__OAUTH_CLIENT_ID", tokens::CLIENT_ID.into()),
            ("PULSELINE__KAFKA__OAUTH_CLIENT_SECRET", secret.into()),
        ]
    }

    /// Kafka over TLS only, with or without a client certificate.
    #[must_use]
    pub fn tls(&self, brokers: &str, authority: &Path, client: Option<&Pair>) -> Settings {
        let mut settings = vec![
            ("PULSELINE__KAFKA__BROKERS", brokers.to_owned()),
            ("PULSELINE__KAFKA__SECURITY_PROTOCOL", "SSL".into()),
            ("PULSELINE__KAFKA__SSL_CA", shown(authority)),
        ];
        if let Some(client) = client {
            settings.push(("PULSELINE__KAFKA__SSL_CERTIFICATE", shown(&client.certificate)));
            settings.push(("PULSELINE__KAFKA__SSL_KEY", shown(&client.key)));
        }
        settings
    }

    /// The client's certificate with an encrypted key.
    #[must_use]
    pub fn mutual(&self) -> Settings {
        let mut client = self.certificates.client();
        client.key = self.certificates.encrypted_key();
        let mut settings = self.tls(
            &self.doors.mutual,
            &self.certificates.authority_file(),
            Some(&client),
        );
        settings.push(("PULSELINE__KAFKA__SSL_KEY_PASSWORD", KEY_PASSWORD.into()));
        settings
    }

    /// The registry behind one of nginx's listeners.
    #[must_use]
    pub fn registry(&self, url: &str, more: Settings) -> Settings {
        let mut settings = vec![
            ("PULSELINE__REGISTRY__URL", format!("{url}{API}")),
            (
                "PULSELINE__REGISTRY__SSL_CA",
                shown(&self.certificates.authority_file()),
            ),
        ];
        settings.extend(more);
        settings
    }

    /// The registry by user and password.
    #[must_use]
    pub fn registry_password(&self, password: &str) -> Settings {
        let more = vec![
            ("PULSELINE__REGISTRY__USERNAME", nginx::USER.to_owned()),
            ("PULSELINE__REGISTRY__PASSWORD", password.into()),
        ];
        self.registry(&self.nginx.basic(), more)
    }

    /// The registry by client certificate.
    #[must_use]
    pub fn registry_certificate(&self) -> Settings {
        let client = self.certificates.client();
        let more = vec![
            ("PULSELINE__REGISTRY__SSL_CERTIFICATE", shown(&client.certificate)),
            ("PULSELINE__REGISTRY__SSL_KEY", shown(&client.key)),
        ];
        self.registry(&self.nginx.mutual(), more)
    }

    /// The registry by bearer token.
    #[must_use]
    pub fn registry_token(&self) -> Settings {
        let more = vec![("PULSELINE__REGISTRY__BEARER_TOKEN", nginx::TOKEN.to_owned())];
        self.registry(&self.nginx.bearer(), more)
    }

    /// MongoDB over TLS; `who` is `user:password@` or nothing.
    #[must_use]
    pub fn mongo(&self, who: &str, parameters: &str, authority: &Path) -> Settings {
        let uri = format!(
            "mongodb://{who}{}/?replicaSet=secantus&tls=true&tlsCAFile={}&{parameters}",
            self.mongo,
            authority.display()
        );
        vec![("PULSELINE__MONGO__URI", uri)]
    }

    /// MongoDB by client certificate.
    #[must_use]
    pub fn mongo_certificate(&self, client: &Pair) -> Settings {
        let bundle = &client.bundle;
        let parameters = format!(
            "authMechanism=MONGODB-X509&authSource=%24external&tlsCertificateKeyFile={}",
            bundle.display()
        );
        self.mongo("", &parameters, &self.certificates.authority_file())
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn host(uri: &str) -> Result<String> {
    let host = uri.split("//").nth(1).and_then(|rest| rest.split('/').next());
    Ok(host.context("no host")?.to_owned())
}

/// Before MongoDB asks for a user.
#[expect(
    clippy::disallowed_methods,
    reason = "it makes the users with which the clients are made"
)]
async fn add_users(uri: &str) -> Result<()> {
    let client = mongodb::Client::with_uri_str(uri).await?;
    let roles = ["root"];
    let with_password = doc! { "createUser": USER, "pwd": PASSWORD, "roles": roles };
    client.database("admin").run_command(with_password).await?;
    let known = uri.replace("mongodb://", &format!("mongodb://{USER}:{PASSWORD}@")) + "&authSource=admin";
    let client = mongodb::Client::with_uri_str(known).await?;
    let role = doc! { "role": "root", "db": "admin" };
    let by_certificate = doc! { "createUser": SUBJECT, "roles": [role], "mechanisms": ["MONGODB-X509"] };
    client.database("$external").run_command(by_certificate).await?;
    Ok(())
}
