//! The table of MongoDB's error codes.

use std::error::Error as _;

use mongodb::error::{Error, ErrorKind, WriteFailure};
use pulseline_runtime::retry::Class;

use crate::handshake;

/// The culprit of an error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A unique key exists already.
    Duplicate,
    /// The document itself cannot be stored.
    Document,
    /// The server: retry.
    Server,
    /// The change stream's position is permanently lost.
    Position,
    /// Our credentials.
    Login,
    /// Our permissions.
    Permission,
    /// Unknown.
    Unknown,
}

/// Known codes, their culprit and the reason.
const CODES: [(i32, Fault, &str); 52] = [
    (6, Fault::Server, "HostUnreachable: a member cannot reach another"),
    (
        7,
        Fault::Server,
        "HostNotFound: a member's name does not resolve at the moment",
    ),
    (24, Fault::Server, "LockTimeout: another operation holds the lock"),
    (
        43,
        Fault::Server,
        "CursorNotFound: a member restarted, or the cursor was idle: reopened",
    ),
    (46, Fault::Server, "LockBusy: as LockTimeout"),
    (50, Fault::Server, "MaxTimeMSExpired: overloaded"),
    (
        63,
        Fault::Server,
        "StaleShardVersion: a router learns of a moved chunk",
    ),
    (
        64,
        Fault::Server,
        "WriteConcernTimeout: a majority did not confirm in time",
    ),
    (89, Fault::Server, "NetworkTimeout: between members"),
    (91, Fault::Server, "ShutdownInProgress: restarts, or is replaced"),
    (112, Fault::Server, "WriteConflict: two writers of one document"),
    (
        133,
        Fault::Server,
        "FailedToSatisfyReadPreference: no primary at the moment",
    ),
    (134, Fault::Server, "ReadConcernMajorityNotAvailableYet: starts"),
    (150, Fault::Server, "StaleEpoch: as StaleShardVersion"),
    (189, Fault::Server, "PrimarySteppedDown: an election"),
    (
        202,
        Fault::Server,
        "NetworkInterfaceExceededTimeLimit: between members",
    ),
    (
        234,
        Fault::Server,
        "RetryChangeStream: the stream must be reopened",
    ),
    (237, Fault::Server, "CursorKilled: reopened"),
    (262, Fault::Server, "ExceededTimeLimit: overloaded"),
    (
        290,
        Fault::Server,
        "TransactionExceededLifetimeLimitSeconds: a write took too long on an overloaded server, which undid it",
    ),
    (
        365,
        Fault::Server,
        "TemporarilyUnavailable: the cache is full of unwritten data",
    ),
    (462, Fault::Server, "IngressRequestRateLimitExceeded: overloaded"),
    (9_001, Fault::Server, "SocketException: between members"),
    (10_058, Fault::Server, "LegacyNotPrimary: an election"),
    (10_107, Fault::Server, "NotWritablePrimary: an election"),
    (11_600, Fault::Server, "InterruptedAtShutdown: restarts"),
    (
        11_601,
        Fault::Server,
        "Interrupted: an operator ended the operation",
    ),
    (
        11_602,
        Fault::Server,
        "InterruptedDueToReplStateChange: an election",
    ),
    (13_388, Fault::Server, "StaleConfig: as StaleShardVersion"),
    (13_435, Fault::Server, "NotPrimaryNoSecondaryOk: an election"),
    (
        13_436,
        Fault::Server,
        "NotPrimaryOrSecondary: a member starts or recovers",
    ),
    (
        14_031,
        Fault::Server,
        "OutOfDiskSpace: nothing is lost while we wait for space",
    ),
    (14, Fault::Document, "TypeMismatch"),
    (52, Fault::Document, "DollarPrefixedFieldName"),
    (55, Fault::Document, "InvalidDBRef"),
    (57, Fault::Document, "DottedFieldName"),
    (
        121,
        Fault::Document,
        "DocumentValidationFailure: the collection has a validator",
    ),
    (10_334, Fault::Document, "BSONObjectTooLarge"),
    (17_280, Fault::Document, "KeyTooLong"),
    (11_000, Fault::Duplicate, "DuplicateKey"),
    (
        11_001,
        Fault::Duplicate,
        "DuplicateKey on update, from old servers",
    ),
    (12_582, Fault::Duplicate, "DuplicateKey through an old router"),
    (
        260,
        Fault::Position,
        "InvalidResumeToken: of another cluster or version",
    ),
    (280, Fault::Position, "ChangeStreamFatalError: cannot be resumed"),
    (
        286,
        Fault::Position,
        "ChangeStreamHistoryLost: older than the oplog",
    ),
    (50_811, Fault::Position, "the token is of another stream"),
    (11, Fault::Login, "UserNotFound"),
    (18, Fault::Login, "AuthenticationFailed"),
    (334, Fault::Login, "MechanismUnavailable"),
    (
        391,
        Fault::Login,
        "ReauthenticationRequired: what the driver could not renew",
    ),
    (
        8_000,
        Fault::Login,
        "AtlasError: how Atlas refuses a user, an address or a quota",
    ),
    (13, Fault::Permission, "Unauthorized"),
];

/// Labels that mark an operation as retryable.
const RETRIED: [&str; 5] = [
    "RetryableWriteError",
    "ResumableChangeStreamError",
    "TransientTransactionError",
    "RetryableError",
    "SystemOverloadedError",
];

/// The culprit of an error.
#[must_use]
pub fn fault_of(code: i32) -> Fault {
    let known = CODES.iter().find(|(known, ..)| *known == code);
    known.map_or(Fault::Unknown, |(_, fault, _)| *fault)
}

/// The class of an error. Elections, restarts and overload are transient; refusals and unknown errors are fatal.
#[must_use]
pub fn class_of(error: &Error) -> Class {
    if tls_refusal(error).is_some() {
        return Class::Fatal;
    }
    let fault = code_of(error).map_or(Fault::Unknown, fault_of);
    if matches!(fault, Fault::Login | Fault::Permission | Fault::Position) {
        return Class::Fatal;
    }
    if RETRIED.iter().any(|label| error.contains_label(label)) || fault == Fault::Server {
        return Class::Transient;
    }
    match error.kind.as_ref() {
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. }
        // The write may still be rolled back: write again.
        | ErrorKind::Write(WriteFailure::WriteConcernError(_)) => Class::Transient,
        _ if fault == Fault::Document => Class::Definite,
        // The enum is non-exhaustive: unknown kinds are fatal.
        _ => Class::Fatal,
    }
}

/// True when a single insert met an existing key.
#[must_use]
pub fn is_duplicate(error: &Error) -> bool {
    code_of(error).is_some_and(|code| fault_of(code) == Fault::Duplicate)
}

/// True when a write failed only because its documents exist: their ids are their content.
#[must_use]
pub fn is_there_already(error: &Error) -> bool {
    let is_taken = |code| fault_of(code) == Fault::Duplicate;
    match error.kind.as_ref() {
        ErrorKind::InsertMany(many) => {
            many.write_concern_error.is_none()
                && many
                    .write_errors
                    .as_ref()
                    .is_some_and(|errors| errors.iter().all(|one| is_taken(one.code)))
        }
        ErrorKind::Write(WriteFailure::WriteError(one)) => is_taken(one.code),
        _ => false,
    }
}

/// True when a change stream's position is permanently lost, on opening or later.
#[must_use]
pub fn is_dead_token(error: &Error) -> bool {
    code_of(error).is_some_and(|code| fault_of(code) == Fault::Position)
}

/// The error's cause, and the setting to correct. Contains no secret.
#[must_use]
pub fn describe(error: &Error) -> String {
    if let Some(refusal) = tls_refusal(error) {
        return with_tls_settings(&refusal);
    }
    let said = error.kind.to_string();
    let is_refused = matches!(error.kind.as_ref(), ErrorKind::Authentication { .. });
    match code_of(error).map_or(Fault::Unknown, fault_of) {
        Fault::Permission => {
            format!("{said}: the user of mongo.uri lacks permission; grant it the role readWrite")
        }
        Fault::Login => with_login_settings(&said),
        Fault::Unknown if is_refused => with_login_settings(&said),
        _ => said,
    }
}

fn with_login_settings(said: &str) -> String {
    format!("{said}: check user, password, authSource and authMechanism in mongo.uri")
}

pub(super) fn with_tls_settings(refusal: &str) -> String {
    format!("{refusal}: check tls, tlsCAFile and tlsCertificateKeyFile in mongo.uri")
}

/// The reason of a certificate refusal, if the error comes from one.
pub(super) fn tls_refusal(error: &Error) -> Option<String> {
    match error.kind.as_ref() {
        ErrorKind::Io(io) => handshake::refusal(&**io),
        ErrorKind::ConnectionPoolCleared { message, .. } => handshake::refusal_in(message),
        ErrorKind::ServerSelection { message, .. } => refusal_of_all(message),
        _ => None,
    }
}

/// The driver's server-selection error describes each server in a text. An unreachable server may return; the error is
/// permanent only when every server refuses.
fn refusal_of_all(message: &str) -> Option<String> {
    let mut refusals = message.split("{ Address: ").skip(1).map(|server| {
        let address = server.split(',').next().unwrap_or_default();
        handshake::refusal_in(server).map(|refusal| format!("{address}: {refusal}"))
    });
    let first = refusals.next()??;
    refusals.all(|refusal| refusal.is_some()).then_some(first)
}

/// The server's code. An authentication error has the server's error as its cause.
fn code_of(error: &Error) -> Option<i32> {
    let own = match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => Some(concern.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        ErrorKind::InsertMany(many) => many.write_concern_error.as_ref().map(|concern| concern.code),
        _ => None,
    };
    own.or_else(|| error.source()?.downcast_ref::<Error>().and_then(code_of))
}

#[cfg(test)]
mod tests;
