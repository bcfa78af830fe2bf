//! PgBouncer in transaction mode in front of a PostgreSQL: a session lasts for one transaction.

use std::fs;

use anyhow::Result;
use tempfile::TempDir;

use super::child::{Child, Program, bring, give_away};
use super::free_port;
use super::postgres::{PASSWORD, SUPERUSER};

/// A running PgBouncer.
pub struct PgBouncer {
    port: u16,
    _child: Child,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts it in front of a PostgreSQL with a superuser's password; PgBouncer requires the same password.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(upstream: u16) -> Result<Self> {
        Self::launch(upstream, "scram-sha-256").await
    }

    /// Starts it in front of the embedded TimescaleDB. Both accept every user.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn before_embedded(upstream: u16) -> Result<Self> {
        Self::launch(upstream, "trust").await
    }

    /// Uses two connections to the server.
    async fn launch(upstream: u16, authentication: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let port = free_port()?;
        let path = folder.path().display();
        let file = folder.path().join("pgbouncer.ini");
        let users = folder.path().join("users.txt");
        fs::write(&users, format!("\"{SUPERUSER}\" \"{PASSWORD}\"\n"))?;
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={upstream}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = {authentication}\nauth_file = {path}/users.txt\n\
             pool_mode = transaction\ndefault_pool_size = 2\nserver_tls_sslmode = disable\npidfile = {path}/pid\n"
        );
        fs::write(&file, text)?;
        let program = bring("usr/sbin/pgbouncer", folder.path())?;
        give_away(folder.path())?;
        let program = Program {
            words: vec![program.into(), file.into()],
            folder: folder.path().to_owned(),
            brought: Some(folder.path().to_owned()),
        };
        let child = Child::start(&program, port).await?;
        Ok(Self {
            port,
            _child: child,
            _folder: folder,
        })
    }

    /// Connection URL of the superuser through PgBouncer.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://{SUPERUSER}:{PASSWORD}@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }
}
