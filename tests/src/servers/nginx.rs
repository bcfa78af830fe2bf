//! nginx in front of an HTTP server: TLS, client certificates, basic and bearer authentication, a default backend.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use tempfile::TempDir;

use super::child::{Child, Program, program};
use super::free_port;
use crate::certificates::{Certificates, Pair};

/// User of the listener with basic authentication.
pub const USER: &str = "pulseline";
/// Its password.
pub const PASSWORD: &str = "right-secret";
/// Token of the listener with bearer authentication.
pub const TOKEN: &str = "a-right-token";

/// A running nginx.
pub struct Nginx {
    ports: Ports,
    outage: PathBuf,
    _child: Child,
    _folder: TempDir,
}

struct Ports {
    plain: u16,
    tls: u16,
    mutual: u16,
    basic: u16,
    bearer: u16,
    wrong_host: u16,
    expired: u16,
}

impl Nginx {
    /// Starts it in front of `upstream` (`host:port`).
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(upstream: &str, certificates: &Certificates) -> Result<Self> {
        let folder = TempDir::new()?;
        let ports = Ports {
            plain: free_port()?,
            tls: free_port()?,
            mutual: free_port()?,
            basic: free_port()?,
            bearer: free_port()?,
            wrong_host: free_port()?,
            expired: free_port()?,
        };
        let outage = folder.path().join("outage");
        fs::write(
            folder.path().join("users"),
            format!("{USER}:{{PLAIN}}{PASSWORD}\n"),
        )?;
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration(&folder, upstream, &ports, certificates))?;
        let words = [
            program("usr/sbin/nginx")?.into(),
            "-p".into(),
            folder.path().into(),
            "-e".into(),
            "stderr".into(),
            "-c".into(),
            file.into(),
        ];
        let program = Program {
            words: words.to_vec(),
            folder: folder.path().to_owned(),
            brought: None,
        };
        let child = Child::start(&program, ports.plain).await?;
        Ok(Self {
            ports,
            outage,
            _child: child,
            _folder: folder,
        })
    }

    /// Without TLS.
    #[must_use]
    pub fn plain(&self) -> String {
        format!("http://localhost:{}", self.ports.plain)
    }

    /// TLS.
    #[must_use]
    pub fn tls(&self) -> String {
        format!("https://localhost:{}", self.ports.tls)
    }

    /// TLS with a required client certificate.
    #[must_use]
    pub fn mutual(&self) -> String {
        format!("https://localhost:{}", self.ports.mutual)
    }

    /// TLS with basic authentication.
    #[must_use]
    pub fn basic(&self) -> String {
        format!("https://localhost:{}", self.ports.basic)
    }

    /// TLS with a bearer token.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("https://localhost:{}", self.ports.bearer)
    }

    /// TLS with a certificate of another host.
    #[must_use]
    pub fn wrong_host(&self) -> String {
        format!("https://localhost:{}", self.ports.wrong_host)
    }

    /// TLS with an expired certificate.
    #[must_use]
    pub fn expired(&self) -> String {
        format!("https://localhost:{}", self.ports.expired)
    }

    /// Switches the backend off or on. When off, every listener answers 404 with a body of its own, as an ingress
    /// without a backend does.
    ///
    /// # Errors
    /// An I/O error of the system.
    pub fn set_outage(&self, is_out: bool) -> Result<()> {
        if is_out {
            fs::write(&self.outage, "")?;
        } else {
            fs::remove_file(&self.outage)?;
        }
        Ok(())
    }
}

fn configuration(folder: &TempDir, upstream: &str, ports: &Ports, certificates: &Certificates) -> String {
    let path = folder.path().display();
    let tls = |port: u16, pair: &Pair, more: &str| {
        let certificate = pair.certificate.display();
        let key = pair.key.display();
        format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};\n\
             {more}\nlocation / {{ if (-f {path}/outage) {{ return 404 'default backend - 404'; }}\n\
             proxy_pass http://upstream; }} }}\n"
        )
    };
    let server = certificates.server();
    let authority = certificates.authority_file();
    let mutual = format!(
        "ssl_client_certificate {}; ssl_verify_client on;",
        authority.display()
    );
    let basic = format!("auth_basic registry; auth_basic_user_file {path}/users;");
    let bearer = format!("if ($http_authorization != 'Bearer {TOKEN}') {{ return 401; }}");
    let listeners = [
        tls(ports.tls, &server, ""),
        tls(ports.mutual, &server, &mutual),
        tls(ports.basic, &server, &basic),
        tls(ports.bearer, &server, &bearer),
        tls(ports.wrong_host, &certificates.wrong_host(), ""),
        tls(ports.expired, &certificates.expired(), ""),
    ]
    .concat();
    format!(
        "daemon off; master_process off; pid {path}/pid; error_log stderr;\nevents {{ worker_connections 256; }}\n\
         http {{ access_log off; client_body_temp_path {path}/body; proxy_temp_path {path}/proxy;\n\
         fastcgi_temp_path {path}/fastcgi; uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;\n\
         client_max_body_size 16m; upstream upstream {{ server {upstream}; }}\n\
         server {{ listen 127.0.0.1:{}; location / {{\n\
         if (-f {path}/outage) {{ return 404 'default backend - 404'; }} proxy_pass http://upstream; }} }}\n\
         {listeners} }}\n",
        ports.plain
    )
}
