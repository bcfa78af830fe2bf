//! A PostgreSQL connection URL has libpq's meaning: `psql` and Pulseline must get the same result.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt};
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_sql::GenericClient;
use pulseline_tests::certificates::{Certificates, Pair};
use pulseline_tests::servers::{PgBouncer, Postgreses, postgres};
use tokio::process::Command;

const MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];
/// The current user, the encryption, and the server's read-only state.
const WHO: &str = "select current_user::text || '|' || (select ssl::text from pg_stat_ssl where pid = pg_backend_pid()) \
    || '|' || pg_is_in_recovery()::text";
/// A refusal is known at once, without any waiting; a busy machine needs some time.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);
/// Concurrent connections.
const AT_ONCE: usize = 6;

/// The answer to `psql`; none when it is refused.
async fn psql(url: &str, home: &Path) -> Result<Option<String>> {
    let output = Command::new("psql")
        .args([url, "--no-psqlrc", "--no-password", "-Atc", WHO])
        .env("HOME", home)
        .output()
        .await?;
    let said = String::from_utf8(output.stdout)?;
    Ok(output.status.success().then(|| said.trim().to_owned()))
}

/// The answer to Pulseline; none when it is refused.
async fn ours(url: &str) -> Result<Option<String>> {
    let config = TimescaleConfig {
        url: Secret::new(url),
        ..TimescaleConfig::default()
    };
    let started = Instant::now();
    match pulseline_sql::connect(&config, "pulseline-tests").await {
        Ok(client) => Ok(Some(client.query_one(WHO, &[]).await?.get(0))),
        Err(error) => {
            ensure!(
                started.elapsed() < REFUSED_WITHIN,
                "{url}: refused after {:?}",
                started.elapsed()
            );
            let text = format!("{error:#}");
            ensure!(
                !text.contains(postgres::PASSWORD),
                "the error contains the password: {text}"
            );
            Ok(None)
        }
    }
}

async fn compare(urls: Vec<String>, home: &Path) -> Result<(usize, usize)> {
    let compared = futures_util::stream::iter(urls)
        .map(async |url| {
            let (theirs, ours) = tokio::try_join!(psql(&url, home), ours(&url))?;
            anyhow::Ok((url, theirs, ours))
        })
        .buffer_unordered(AT_ONCE);
    let compared: Vec<_> = compared.try_collect().await?;
    let differ: Vec<_> = compared
        .iter()
        .filter(|(_, theirs, ours)| theirs != ours)
        .collect();
    ensure!(differ.is_empty(), "URL, psql, ours: {differ:#?}");
    let refused = compared.iter().filter(|(_, theirs, _)| theirs.is_none()).count();
    Ok((compared.len() - refused, refused))
}

/// Every mode with every authority and server, and with roles that require or refuse TLS.
fn of_modes(servers: &Postgreses, certificates: &Certificates) -> Vec<String> {
    let right = format!("&sslrootcert={}", certificates.authority_file().display());
    let other = format!("&sslrootcert={}", certificates.other_authority_file().display());
    let mut urls = Vec::new();
    for mode in MODES {
        for authority in ["", &right, &other] {
            for server in [&servers.primary, &servers.wrong_host, &servers.plain] {
                urls.push(server.url(postgres::SUPERUSER, &format!("sslmode={mode}{authority}")));
            }
        }
        for role in [postgres::TLS_ONLY, postgres::PLAIN_ONLY] {
            urls.push(servers.primary.url(role, &format!("sslmode={mode}{right}")));
            urls.push(servers.primary.url(role, &format!("sslmode={mode}")));
        }
        let by_address = servers
            .primary
            .url(postgres::SUPERUSER, &format!("sslmode={mode}{right}"));
        urls.push(by_address.replace("localhost", "127.0.0.1"));
    }
    urls.push(servers.primary.url(postgres::SUPERUSER, "connect_timeout=10"));
    urls.push(servers.plain.url(postgres::SUPERUSER, ""));
    urls
}

/// The role of a client certificate: with it, with a stranger's, and without any.
fn of_certificates(servers: &Postgreses, certificates: &Certificates) -> Vec<String> {
    let authority = certificates.authority_file();
    let parameters = format!("sslmode=verify-full&sslrootcert={}", authority.display());
    let with = |pair: &Pair| servers.primary.certificate_url(pair, &parameters);
    let client = with(&certificates.client());
    let bare = servers
        .primary
        .url(pulseline_tests::certificates::CLIENT, &parameters);
    let wrong_password = servers
        .primary
        .url(postgres::SUPERUSER, &parameters)
        .replace(postgres::PASSWORD, "wrong");
    vec![client, with(&certificates.stranger()), bare, wrong_password]
}

/// A primary and a standby, in both orders.
fn of_hosts(servers: &Postgreses) -> Vec<String> {
    let (writes, reads) = (servers.primary.port(), servers.standby.port());
    let mut urls = Vec::new();
    for hosts in [
        format!("localhost:{writes},localhost:{reads}"),
        format!("localhost:{reads},localhost:{writes}"),
        format!("localhost:{reads}"),
        format!("localhost:1,localhost:{writes}"),
    ] {
        for wanted in ["any", "read-write"] {
            urls.push(format!(
                "postgres://{}:{}@{hosts}/postgres?target_session_attrs={wanted}",
                postgres::SUPERUSER,
                postgres::PASSWORD
            ));
        }
    }
    urls
}

#[tokio::test]
async fn a_connection_url_means_what_libpq_says() -> Result<()> {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let certificates = Certificates::make()?;
    let servers = Postgreses::start(&certificates).await?;
    let pooler = PgBouncer::start(servers.primary.port()).await?;
    let mut urls = of_modes(&servers, &certificates);
    urls.extend(of_certificates(&servers, &certificates));
    urls.extend(of_hosts(&servers));
    urls.push(pooler.url());
    let (accepted, refused) = compare(urls, certificates.folder()).await?;
    // A mix of both proves that the servers differ as intended.
    ensure!(
        accepted > 30 && refused > 30,
        "{accepted} accepted, {refused} refused"
    );
    refusals(&servers, &certificates).await
}

/// Settings that waiting cannot fix, and the part of them that the error must name.
async fn refusals(servers: &Postgreses, certificates: &Certificates) -> Result<()> {
    let right = format!(
        "sslmode=verify-full&sslrootcert={}",
        certificates.authority_file().display()
    );
    let other = format!(
        "sslmode=verify-full&sslrootcert={}",
        certificates.other_authority_file().display()
    );
    let wrong = servers
        .primary
        .url(postgres::SUPERUSER, &right)
        .replace(postgres::PASSWORD, "wrong");
    let cases = [
        (servers.primary.url(postgres::SUPERUSER, &other), "sslrootcert"),
        (
            servers.wrong_host.url(postgres::SUPERUSER, &right),
            "elsewhere.example",
        ),
        (
            servers.plain.url(postgres::SUPERUSER, "sslmode=require"),
            "sslmode",
        ),
        (wrong, "password authentication failed"),
        (
            servers.primary.certificate_url(&certificates.stranger(), &right),
            "certificate",
        ),
    ];
    for (url, named) in cases {
        let config = TimescaleConfig {
            url: Secret::new(&url),
            ..TimescaleConfig::default()
        };
        let error = pulseline_sql::connect(&config, "pulseline-tests").await.err();
        let text = format!(
            "{:#}",
            anyhow::Error::from(error.context("the server accepted it")?)
        );
        ensure!(text.contains(named), "{named} is not named: {text}");
    }
    Ok(())
}
