//! Classes of PostgreSQL's errors: the table of SQLSTATEs, and errors without one.

use std::error::Error as _;
use std::io;

use pulseline_runtime::retry::Class;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity};

use super::tls_class;

/// The meaning of an SQLSTATE or of a class of them.
struct Meaning {
    /// Five characters, or two for a class.
    code: &'static str,
    class: Class,
    /// The reason.
    reason: &'static str,
    /// Advice for the operator, if any.
    advice: &'static str,
}

const fn wait(code: &'static str, reason: &'static str, advice: &'static str) -> Meaning {
    Meaning {
        code,
        class: Class::Transient,
        reason,
        advice,
    }
}

const fn stop(code: &'static str, reason: &'static str, advice: &'static str) -> Meaning {
    Meaning {
        code,
        class: Class::Fatal,
        reason,
        advice,
    }
}

const fn item(code: &'static str, reason: &'static str) -> Meaning {
    Meaning {
        code,
        class: Class::Definite,
        reason,
        advice: "",
    }
}

const POOLER: &str = "a pooler in transaction mode loses prepared statements: in PgBouncer (1.21 or later) set \
    max_prepared_statements, or use the server's own address in timescale.url";
const READ_ONLY: &str = "this is a standby or a demoted primary: with several hosts in timescale.url set \
    target_session_attrs=read-write, so that the next connection finds the primary";

/// A code takes precedence over its class; an unknown code stops the service.
const MEANINGS: [Meaning; 30] = [
    wait("08", "the connection broke, or a pooler has no server", ""),
    item("22", "a value is at fault"),
    item("23", "a value violates a constraint"),
    wait(
        "25006",
        "the server was demoted: another one accepts writes",
        READ_ONLY,
    ),
    wait(
        "25P03",
        "the session idled inside a transaction and was ended: rolled back",
        "",
    ),
    wait(
        "25P04",
        "the transaction took longer than the server allows: rolled back",
        "",
    ),
    wait("26000", "the pooler switched to another session", POOLER),
    wait("42P05", "the pooler switched to another session", POOLER),
    stop(
        "28000",
        "the server does not accept this user from this host",
        "correct user, sslmode or sslcert in timescale.url, or the server's pg_hba.conf",
    ),
    stop(
        "28P01",
        "the password is wrong",
        "correct user and password in timescale.url",
    ),
    stop(
        "3D000",
        "the database does not exist",
        "correct the database's name in timescale.url, or create it",
    ),
    wait("40001", "concurrent changes to the same rows: rolled back", ""),
    wait(
        "40003",
        "the connection broke during a commit: the checkpoint says whether it succeeded",
        "",
    ),
    wait("40P01", "deadlock: rolled back", ""),
    stop(
        "42501",
        "the user lacks a privilege",
        "grant it to the user in timescale.url, or use another user",
    ),
    wait("53", "memory, disk or connections are exhausted", ""),
    wait("55P03", "another session holds the lock", ""),
    wait(
        "57014",
        "a timeout or an operator cancelled the statement: rolled back",
        "",
    ),
    wait("57P01", "the server shuts down", ""),
    wait(
        "57P02",
        "another session crashed, and the server starts again",
        "",
    ),
    wait("57P03", "the server starts, or recovers", ""),
    stop(
        "57P04",
        "the database was dropped",
        "correct the database's name in timescale.url, or create it",
    ),
    wait("57P05", "the session idled and was ended", ""),
    // The codes below would stop without an entry too; here they have advice.
    stop("0A000", "the server lacks a feature", ""),
    stop("3F000", "the schema does not exist", "run `pulseline migrate`"),
    stop("42704", "an object does not exist", ""),
    stop("42883", "a function does not exist", ""),
    stop("42P01", "a table does not exist", "run `pulseline migrate`"),
    stop("58", "the server's files or disk are at fault", ""),
    stop("XX", "the server hit a bug or corrupted data", ""),
];

fn meaning(code: &str) -> Option<&'static Meaning> {
    let exact = MEANINGS.iter().find(|meaning| meaning.code == code);
    exact.or_else(|| {
        let class = code.get(..2)?;
        MEANINGS.iter().find(|meaning| meaning.code == class)
    })
}

/// The class of an SQLSTATE; an unknown one is fatal.
#[must_use]
pub fn class_of_state(code: &str) -> Class {
    meaning(code).map_or(Class::Fatal, |meaning| meaning.class)
}

/// The class of a statement's error. Lost connections, conflicts and exhausted resources are transient; unknown is fatal.
///
/// After some of them the same session would fail again: reconnect before the next attempt ([`needs_new_session`]).
#[must_use]
pub fn class_of(error: &Error) -> Class {
    match error.code() {
        _ if has_ended_session(error) => Class::Transient,
        Some(code) => class_of_state(code.code()),
        // Without a code it is the connection: closed, refused, timed out. An undecodable row is a bug.
        None if error.is_closed() || io_cause(error).is_some() => Class::Transient,
        None => Class::Fatal,
    }
}

/// True when the same session would fail again: it has ended or is read-only, or a pooler switched its server.
#[must_use]
pub fn needs_new_session(error: &Error) -> bool {
    let code = error.code().map(tokio_postgres::error::SqlState::code);
    has_ended_session(error) || matches!(code, Some("25006" | "26000" | "42P05"))
}

/// True when the server ended the session with its answer, whatever the reason. `TimescaleDB` does so in every session that
/// was open while its extension was updated. The next connection shows whether the reason lasts.
fn has_ended_session(error: &Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    matches!(severity, Some(Severity::Fatal | Severity::Panic))
}

/// The class of a connection error: no answer is transient, a wrong answer is fatal.
pub(super) fn class_of_connect(error: &Error) -> Class {
    if let Some(code) = error.code() {
        return match class_of_state(code.code()) {
            Class::Transient => Class::Transient,
            Class::Definite | Class::Fatal => Class::Fatal,
        };
    }
    if let Some(tls) = tls_class::cause(error) {
        return tls_class::class_of(tls);
    }
    match io_cause(error).map(io::Error::kind) {
        // The server that answers is not PostgreSQL.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Unsupported) => {
            Class::Fatal
        }
        Some(_) => Class::Transient,
        None if error.is_closed() => Class::Transient,
        None => Class::Fatal,
    }
}

/// True when the server may accept the other kind of connection, with or without TLS.
pub(super) fn is_about_encryption(error: &Error) -> bool {
    let code = error.code().map(tokio_postgres::error::SqlState::code);
    is_handshake(error)
        || tls_class::cause(error).is_some()
        || code.is_some_and(|code| code.starts_with("28"))
}

/// The driver distinguishes its kinds only by text.
fn is_handshake(error: &Error) -> bool {
    error.to_string() == "error performing TLS handshake"
}

/// The error of a statement with its causes and advice, without details, which may hold rows.
#[must_use]
pub fn explain(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => {
            let code = said.code().code();
            let advice = meaning(code).map_or("", |meaning| meaning.advice);
            let stop = if advice.is_empty() { "" } else { ": " };
            format!("{} ({code}){stop}{advice}", said.message())
        }
        None => chain(error),
    }
}

/// The same for a connection error.
pub(super) fn explain_connect(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        let code = said.code().code();
        return match meaning(code) {
            Some(meaning) if !meaning.advice.is_empty() => {
                format!(
                    "{} ({}, {code}): {}",
                    meaning.reason,
                    said.message(),
                    meaning.advice
                )
            }
            _ => format!("{} ({code})", said.message()),
        };
    }
    if let Some(tls) = tls_class::cause(error) {
        return tls_class::explain(tls);
    }
    let said = chain(error);
    match error.source().map(ToString::to_string).as_deref() {
        Some("server does not support TLS") => {
            "the server does not support TLS, but sslmode in timescale.url requires it: enable TLS there, or set \
             sslmode=disable"
                .to_owned()
        }
        Some("password missing") => {
            "the server requires a password: set it in timescale.url, PGPASSWORD or ~/.pgpass".to_owned()
        }
        Some("server did not use channel binding") => {
            "the server does not support channel binding, but channel_binding in timescale.url requires it".to_owned()
        }
        _ if class_of_connect(error) == Class::Fatal => {
            format!("{said}: check that host and port in timescale.url belong to a PostgreSQL server")
        }
        _ => said,
    }
}

/// An error and its causes, without repetitions.
fn chain(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.ends_with(&text) {
            said = format!("{said}: {text}");
        }
        cause = inner.source();
    }
    said
}

/// The underlying socket error.
pub(super) fn io_cause(error: &Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return Some(io);
        }
        cause = inner.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_pass_and_the_unknown_stops() {
        for code in [
            "08006", "53300", "40P01", "55P03", "57P01", "57014", "25006", "26000", "42P05", "25P04",
        ] {
            assert_eq!(class_of_state(code), Class::Transient, "{code}");
        }
        for code in [
            "28P01", "28000", "3D000", "42501", "42P01", "XX999", "57P04", "99999", "",
        ] {
            assert_eq!(class_of_state(code), Class::Fatal, "{code}");
        }
        assert_eq!(class_of_state("22P02"), Class::Definite);
    }

    #[test]
    fn each_code_stands_once_and_has_a_reason() {
        for (i, meaning) in MEANINGS.iter().enumerate() {
            assert!([2, 5].contains(&meaning.code.len()), "{}", meaning.code);
            assert!(!meaning.reason.is_empty(), "{}", meaning.code);
            assert!(
                MEANINGS[..i].iter().all(|other| other.code != meaning.code),
                "{}",
                meaning.code
            );
            // Every connection refusal names the setting to correct.
            if meaning.code.starts_with("28") || meaning.code == "3D000" {
                assert!(meaning.advice.contains("timescale.url"), "{}", meaning.code);
            }
        }
    }
}
