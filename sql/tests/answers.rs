//! What a client does with an answer, or without one: the test's server sends what the test says.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_runtime::retry::Class;
use pulseline_sql::{Client, GenericClient, class_of, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The code of a `CancelRequest`, after its length.
const CANCEL: i32 = 80_877_102;
const PROCESS: i32 = 4_711;
const SECRET: i32 = 815;
const LIMIT: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);

/// The server's side of a connection, logged in.
async fn logged_in(listener: &TcpListener) -> Result<TcpStream> {
    let (mut stream, _) = listener.accept().await?;
    let mut startup = vec![0; usize::try_from(stream.read_i32().await?)? - 4];
    stream.read_exact(&mut startup).await?;
    let mut said = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c".to_vec();
    said.extend(PROCESS.to_be_bytes());
    said.extend(SECRET.to_be_bytes());
    said.extend(b"Z\0\0\0\x05I");
    stream.write_all(&said).await?;
    Ok(stream)
}

async fn connected(listener: &TcpListener) -> Result<(Client, TcpStream)> {
    let url = format!("postgres://me@{}/none?sslmode=disable", listener.local_addr()?);
    let timescale = TimescaleConfig {
        url: Secret::new(url),
        ..TimescaleConfig::default()
    };
    let (client, stream) = tokio::join!(connect(&timescale, "test"), logged_in(listener));
    Ok((client?, stream?))
}

/// The next connection asks to cancel this process, with its secret.
async fn is_cancelled(listener: &TcpListener) -> Result<()> {
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    let (mut stream, _) = accepted.context("no cancel request arrives")??;
    let mut asked = [0; 4];
    for number in &mut asked {
        *number = stream.read_i32().await?;
    }
    ensure!(asked == [16, CANCEL, PROCESS, SECRET], "{asked:?}");
    Ok(())
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_cancelled() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, _stream) = connected(&listener).await?;
    let asked = client.query("select pg_sleep(60)", &[]);
    ensure!(
        client.within(LIMIT, asked).await.is_err(),
        "the statement has an answer"
    );
    ensure!(client.is_closed(), "the next statement could be cancelled");
    is_cancelled(&listener).await
}

#[tokio::test]
async fn a_statement_whose_caller_stops_waiting_is_cancelled() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, mut stream) = connected(&listener).await?;
    let waiting = tokio::spawn(async move {
        let asked = client.query("select pg_sleep(60)", &[]);
        client.within(PATIENCE, asked).await.map(drop)
    });
    // The statement has arrived.
    stream.read_u8().await?;
    waiting.abort();
    is_cancelled(&listener).await
}

/// What the server says to a statement, as an `ErrorResponse`.
async fn is_answered(severity: &str, code: &str) -> Result<(Class, bool)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, mut stream) = connected(&listener).await?;
    let asked = client.query_one("select 1", &[]);
    let answered = async {
        stream.read_u8().await?;
        let fields = format!("S{severity}\0V{severity}\0C{code}\0Mnone of it matters\0\0");
        let mut said = b"E".to_vec();
        said.extend(i32::try_from(fields.len() + 4)?.to_be_bytes());
        said.extend(fields.as_bytes());
        said.extend(b"Z\0\0\0\x05I");
        stream.write_all(&said).await.context("the answer")
    };
    let (said, sent) = tokio::join!(asked, answered);
    sent?;
    let error = said.err().context("the statement has an answer")?;
    Ok((class_of(&error), client.is_closed()))
}

/// 42710 is what `TimescaleDB` says in a session that was open while its extension was updated.
#[tokio::test]
async fn p_20_after_an_answer_that_ends_the_session_the_statement_is_repeated_in_a_new_one() -> Result<()> {
    for severity in ["FATAL", "PANIC"] {
        for code in ["42710", "XX000", "99999"] {
            ensure!(is_answered(severity, code).await? == (Class::Transient, true));
        }
    }
    ensure!(is_answered("ERROR", "42710").await? == (Class::Fatal, false));
    Ok(())
}

#[tokio::test]
async fn a_statement_that_ends_in_time_keeps_its_connection() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, _stream) = connected(&listener).await?;
    ensure!(client.within(PATIENCE, async { 7 }).await == Ok(7));
    ensure!(!client.is_closed());
    Ok(())
}
