//! The token endpoint of an identity provider: it exchanges client credentials for a token that Kafka's unsecured
//! validator accepts.

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Id of the known client.
pub const CLIENT_ID: &str = "pulseline";
/// Its secret.
pub const CLIENT_SECRET: &str = "right-secret";
/// `{"alg":"none"}` and `{"sub":"pulseline","iat":1700000000,"exp":4102444800}`, unsigned.
const TOKEN: &str =
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwdWxzZWxpbmUiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6NDEwMjQ0NDgwMH0.";
/// `pulseline:right-secret`.
const BASIC: &str = "cHVsc2VsaW5lOnJpZ2h0LXNlY3JldA==";

/// A running endpoint; it ends when dropped.
pub struct TokenEndpoint {
    url: String,
    task: JoinHandle<()>,
}

impl Drop for TokenEndpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TokenEndpoint {
    /// Starts the endpoint.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/token", listener.local_addr()?);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client may close its connection early.
                tokio::spawn(async move { drop(answer(stream).await) });
            }
        });
        Ok(Self { url, task })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

async fn answer(mut stream: TcpStream) -> Result<()> {
    let request = request(&mut stream).await?;
    let is_known = request.contains(BASIC)
        || (request.contains(&format!("client_id={CLIENT_ID}"))
            && request.contains(&format!("client_secret={CLIENT_SECRET}")));
    let is_right_kind = request.contains("grant_type=client_credentials");
    let (status, body) = if is_known && is_right_kind {
        let body = format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":300}}"#);
        ("200 OK", body)
    } else {
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#.to_owned())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await?;
    Ok(stream.shutdown().await?)
}

/// Head and body of a request.
async fn request(stream: &mut TcpStream) -> Result<String> {
    let (mut text, mut buffer) = (String::new(), vec![0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await?;
        text += &String::from_utf8_lossy(&buffer[..read]);
        let is_whole = text
            .split_once("\r\n\r\n")
            .is_some_and(|(head, body)| body.len() >= length(head));
        if read == 0 || is_whole {
            return Ok(text);
        }
    }
}

fn length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let named = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    named
        .filter_map(|(_, value)| value.trim().parse().ok())
        .next()
        .unwrap_or_default()
}
