//! What PostgreSQL's errors mean for the work at hand: the one table of SQLSTATEs, and what has no SQLSTATE.

use std::error::Error as _;
use std::io;

use pulseline_runtime::retry::Class;
use tokio_postgres::Error;

use super::tls_class;

/// What an SQLSTATE means, or all of a class of them.
struct Meaning {
    /// Five characters, or the two of a class.
    code: &'static str,
    class: Class,
    /// Why it is of that class.
    reason: &'static str,
    /// What its reader has to do, if anything.
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

const POOLER: &str = "a pooler in transaction mode loses prepared statements: let PgBouncer (1.21 or later) keep them with \
    max_prepared_statements, or give the server's own address in timescale.url";
const READ_ONLY: &str = "this is a standby, or a demoted primary: with several hosts in timescale.url give \
    target_session_attrs=read-write, so that the next connection finds the one that may write";

/// The table. A code goes before its class; what is not in it stops the service.
const MEANINGS: [Meaning; 30] = [
    wait("08", "the connection broke, or a pooler has no server", ""),
    item("22", "a value is at fault"),
    item("23", "a value meets a constraint"),
    wait(
        "25006",
        "the server was demoted: another one may write",
        READ_ONLY,
    ),
    wait(
        "25P03",
        "the session was ended for idling inside a transaction: rolled back",
        "",
    ),
    wait(
        "25P04",
        "the transaction took longer than the server allows: rolled back",
        "",
    ),
    wait("26000", "the session behind a pooler is another one", POOLER),
    wait("42P05", "the session behind a pooler is another one", POOLER),
    stop(
        "28000",
        "the server does not let this user in from here",
        "correct user, sslmode or sslcert in timescale.url, or the server's pg_hba.conf",
    ),
    stop(
        "28P01",
        "the password is wrong",
        "correct user and password in timescale.url",
    ),
    stop(
        "3D000",
        "there is no such database",
        "correct the database's name in timescale.url, or create it",
    ),
    wait("40001", "others changed the same rows: rolled back", ""),
    wait(
        "40003",
        "the connection broke at a commit: the checkpoint says whether it counted",
        "",
    ),
    wait("40P01", "a deadlock was ended: rolled back", ""),
    stop(
        "42501",
        "the user lacks a right",
        "grant it to the user in timescale.url, or give another user",
    ),
    wait("53", "memory, disk or connections are used up, and come back", ""),
    wait("55P03", "somebody else holds the lock", ""),
    wait(
        "57014",
        "a timeout or an operator ended the statement: rolled back",
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
    wait("57P05", "the session was ended for idling", ""),
    // Those below would stop without an entry too; here they say what to do.
    stop("0A000", "the server lacks a feature", ""),
    stop("3F000", "there is no such schema", "run `pulseline migrate`"),
    stop("42704", "something that a statement names is not there", ""),
    stop("42883", "a function is not there", ""),
    stop("42P01", "a table is not there", "run `pulseline migrate`"),
    stop("58", "the server's files or disk are at fault", ""),
    stop("XX", "the server met a bug or damaged data", ""),
];

fn meaning(code: &str) -> Option<&'static Meaning> {
    let exact = MEANINGS.iter().find(|meaning| meaning.code == code);
    exact.or_else(|| {
        let class = code.get(..2)?;
        MEANINGS.iter().find(|meaning| meaning.code == class)
    })
}

/// What an SQLSTATE means: wait, this item, or stop. What is unknown stops.
#[must_use]
pub fn class_of_state(code: &str) -> Class {
    meaning(code).map_or(Class::Fatal, |meaning| meaning.class)
}

/// What an error of a statement means. Lost connections, conflicts and full resources pass; what is unknown stops.
///
/// After 25006, 26000 and 42P05 the same session would say the same again: connect anew before the next attempt
/// ([`needs_new_session`]).
#[must_use]
pub fn class_of(error: &Error) -> Class {
    match error.code() {
        Some(code) => class_of_state(code.code()),
        // Without a code it is the connection: closed, refused, timed out. A row that cannot be read is a bug.
        None if error.is_closed() || io_cause(error).is_some() => Class::Transient,
        None => Class::Fatal,
    }
}

/// True when the same session would say the same again: it is read-only, or a pooler gave it another server.
#[must_use]
pub fn needs_new_session(error: &Error) -> bool {
    let code = error.code().map(tokio_postgres::error::SqlState::code);
    matches!(code, Some("25006" | "26000" | "42P05"))
}

/// What an error means before there is a session: what is no answer passes, what is a wrong one stops.
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
        // Something else than a PostgreSQL server answers.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Unsupported) => {
            Class::Fatal
        }
        Some(_) => Class::Transient,
        None if error.is_closed() => Class::Transient,
        None => Class::Fatal,
    }
}

/// True when the other kind of connection, with or without TLS, may be the one that the server wants.
pub(super) fn is_about_encryption(error: &Error) -> bool {
    let code = error.code().map(tokio_postgres::error::SqlState::code);
    is_handshake(error)
        || tls_class::cause(error).is_some()
        || code.is_some_and(|code| code.starts_with("28"))
}

/// The driver tells its kinds apart in its text alone.
fn is_handshake(error: &Error) -> bool {
    error.to_string() == "error performing TLS handshake"
}

/// The error of a statement with its whole chain of causes, and what to do. Details are left out: they hold rows.
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

/// The same before there is a session.
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
            "the server has no TLS, and sslmode in timescale.url asks for it: switch it on there, or give \
             sslmode=disable"
                .to_owned()
        }
        Some("password missing") => {
            "the server asks for a password: give one in timescale.url, PGPASSWORD or ~/.pgpass".to_owned()
        }
        Some("server did not use channel binding") => {
            "the server binds no channel, and channel_binding in timescale.url requires it".to_owned()
        }
        _ if class_of_connect(error) == Class::Fatal => {
            format!("{said}: is there a PostgreSQL server behind the host and port of timescale.url?")
        }
        _ => said,
    }
}

/// An error and its causes; a cause that says what was said already is left out.
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

/// The error of the socket that it came from.
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
            // Whoever is stopped at the door reads which setting to correct.
            if meaning.code.starts_with("28") || meaning.code == "3D000" {
                assert!(meaning.advice.contains("timescale.url"), "{}", meaning.code);
            }
        }
    }
}
