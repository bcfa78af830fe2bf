//! Debian's PostgreSQL with TLS: a primary and its read-only hot standby.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::child::{Child, Program, bring, copy_private, give_away, run, sole};
use super::free_port;
use crate::certificates::{CLIENT, Certificates, Pair};

/// The superuser, with a password; with TLS and without.
pub const SUPERUSER: &str = "postgres";
/// Password of every role with a password.
pub const PASSWORD: &str = "right-secret";
/// A role that may connect only with TLS.
pub const TLS_ONLY: &str = "tls_only";
/// A role that may connect only without TLS.
pub const PLAIN_ONLY: &str = "plain_only";

/// How each role may connect. The client certificate's common name is a role, and needs no password.
const RULES: &str = "hostssl all tls_only 127.0.0.1/32 scram-sha-256\n\
    hostnossl all plain_only 127.0.0.1/32 scram-sha-256\nhostssl all pulseline 127.0.0.1/32 cert\n\
    host all postgres 127.0.0.1/32 scram-sha-256\n";

/// A running PostgreSQL (15 on Debian 12), without TimescaleDB.
pub struct Postgres {
    port: u16,
    child: Child,
}

/// A primary, its standby, and two faulty servers.
pub struct Postgreses {
    /// Accepts writes.
    pub primary: Postgres,
    /// A hot standby: reads only.
    pub standby: Postgres,
    /// Accepts writes; its certificate names another host.
    pub wrong_host: Postgres,
    /// Accepts writes; without TLS.
    pub plain: Postgres,
    _folder: TempDir,
}

impl Postgreses {
    /// Starts the servers.
    ///
    /// # Errors
    /// A server that does not start.
    pub async fn start(certificates: &Certificates) -> Result<Self> {
        let folder = TempDir::new()?;
        let at = folder.path();
        for part in ["usr/lib/postgresql", "usr/share/postgresql"] {
            bring(part, at)?;
        }
        let server = certificates.server();
        let wrong = certificates.wrong_host();
        for (name, file) in [("server", &server), ("wrong-host", &wrong)] {
            copy_private(&file.key, &at.join(format!("{name}.key")))?;
            copy_private(&file.certificate, &at.join(format!("{name}.crt")))?;
        }
        copy_private(&certificates.authority_file(), &at.join("ca.crt"))?;
        prepare(at).await?;
        Ok(Self {
            standby: Postgres::start(at, "standby", Some("server")).await?,
            wrong_host: Postgres::start(at, "wrong", Some("wrong-host")).await?,
            plain: Postgres::start(at, "plain", None).await?,
            primary: Postgres::start(at, "primary", Some("server")).await?,
            _folder: folder,
        })
    }
}

impl Postgres {
    async fn start(at: &Path, data: &str, tls: Option<&str>) -> Result<Self> {
        let port = free_port()?;
        let mut settings = vec![
            format!("port={port}"),
            "listen_addresses=127.0.0.1".into(),
            "unix_socket_directories=".into(),
            "fsync=off".into(),
            "jit=off".into(),
            "shared_buffers=16MB".into(),
        ];
        if let Some(name) = tls {
            settings.push("ssl=on".into());
            for (setting, file) in [
                ("ssl_cert_file", format!("{name}.crt")),
                ("ssl_key_file", format!("{name}.key")),
                ("ssl_ca_file", "ca.crt".into()),
            ] {
                settings.push(format!("{setting}={}", at.join(file).display()));
            }
        }
        let mut words = vec![binary(at, "postgres")?.into(), "-D".into(), at.join(data).into()];
        for setting in settings {
            words.extend(["-c".into(), setting.into()]);
        }
        let program = Program {
            words,
            folder: at.join(data),
            brought: Some(at.to_owned()),
        };
        let child = Child::start(&program, port).await?;
        Ok(Self { port, child })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connection URL of a role with a password; `parameters` such as `sslmode=require`.
    #[must_use]
    pub fn url(&self, role: &str, parameters: &str) -> String {
        format!(
            "postgres://{role}:{PASSWORD}@localhost:{}/postgres?{parameters}",
            self.port
        )
    }

    /// Connection URL of the client certificate's role, without a password.
    #[must_use]
    pub fn certificate_url(&self, pair: &Pair, parameters: &str) -> String {
        let (certificate, key) = (pair.certificate.display(), pair.key.display());
        format!(
            "postgres://{CLIENT}@localhost:{}/postgres?sslcert={certificate}&sslkey={key}&{parameters}",
            self.port
        )
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await
    }
}

fn binary(at: &Path, name: &str) -> Result<std::path::PathBuf> {
    Ok(sole(&at.join("usr/lib/postgresql"))?.join("bin").join(name))
}

/// Data directories of all servers, created once and then copied.
async fn prepare(at: &Path) -> Result<()> {
    let data = at.join("primary");
    fs::write(at.join("password"), PASSWORD)?;
    give_away(at)?;
    let init = [
        "-U",
        SUPERUSER,
        "--no-locale",
        "-E",
        "UTF8",
        "--no-sync",
        "--pwfile",
    ];
    let mut words = vec![binary(at, "initdb")?.into(), "-D".into(), data.clone().into()];
    words.extend(init.map(Into::into));
    words.push(at.join("password").into());
    let program = |words| Program {
        words,
        folder: at.to_owned(),
        brought: Some(at.to_owned()),
    };
    run(&program(words), Stdio::null()).await?;
    fs::write(data.join("pg_hba.conf"), RULES)?;
    let roles = at.join("roles.sql");
    fs::write(
        &roles,
        format!(
            "create role {TLS_ONLY} login password '{PASSWORD}'\n\
             create role {PLAIN_ONLY} login password '{PASSWORD}'\ncreate role {CLIENT} login\n"
        ),
    )?;
    let words = vec![
        binary(at, "postgres")?.into(),
        "--single".into(),
        "-D".into(),
        data.clone().into(),
        "postgres".into(),
    ];
    run(&program(words), fs::File::open(roles)?.into()).await?;
    for copy in ["standby", "wrong", "plain"] {
        let status = std::process::Command::new("cp")
            .arg("-rp")
            .arg(&data)
            .arg(at.join(copy))
            .status()?;
        ensure!(status.success(), "cp");
    }
    fs::write(at.join("standby/standby.signal"), "")?;
    give_away(at)
}
