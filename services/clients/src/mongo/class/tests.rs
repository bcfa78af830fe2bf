//! The table, and what is made of it.

use std::collections::BTreeSet;

use mongodb::error::CommandError;

use super::*;

fn command(code: i32) -> Error {
    let said = bson::doc! { "code": code, "codeName": "Name", "errmsg": "said" };
    let error: CommandError = bson::deserialize_from_document(said).unwrap();
    ErrorKind::Command(error).into()
}

fn io(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    std::io::Error::other(error).into()
}

#[test]
fn each_code_stands_once_and_has_its_reason() {
    let codes: BTreeSet<i32> = CODES.iter().map(|(code, ..)| *code).collect();
    assert_eq!(codes.len(), CODES.len());
    assert!(
        CODES
            .iter()
            .all(|(_, fault, reason)| !reason.is_empty() && *fault != Fault::Unknown)
    );
}

#[test]
fn a_code_blames_the_key_the_document_the_server_or_nobody() {
    assert_eq!(fault_of(11_000), Fault::Duplicate);
    assert_eq!(fault_of(121), Fault::Document);
    assert_eq!(fault_of(10_107), Fault::Server);
    assert_eq!(fault_of(4_711), Fault::Unknown);
    assert!(is_duplicate(&command(11_000)) && !is_duplicate(&command(121)));
}

#[test]
fn p_19_elections_restarts_and_overload_are_waited_out() {
    for code in [189, 290, 10_107, 11_600, 11_602, 13_435, 13_436, 91, 50, 262] {
        assert_eq!(class_of(&command(code)), Class::Transient, "{code}");
    }
    assert_eq!(class_of(&command(121)), Class::Definite);
    let reset = Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    assert_eq!(class_of(&reset), Class::Transient);
}

#[test]
fn who_is_refused_stops_and_learns_the_setting() {
    for code in [18, 8_000, 13] {
        let error = command(code);
        assert_eq!(class_of(&error), Class::Fatal, "{code}");
        assert!(describe(&error).contains("mongo.uri"), "{}", describe(&error));
    }
    let unknown = command(4_711);
    assert_eq!(class_of(&unknown), Class::Fatal);
    assert!(!describe(&unknown).contains("mongo.uri"));
}

#[test]
fn a_dead_token_is_known_by_each_of_its_codes() {
    for code in [286, 280, 260, 50_811] {
        assert!(is_dead_token(&command(code)), "{code}");
        assert_eq!(class_of(&command(code)), Class::Fatal);
    }
    assert!(!is_dead_token(&command(43)));
}

#[test]
fn a_refused_certificate_stops_although_it_is_an_io_error() {
    use rustls::{AlertDescription, CertificateError, Error as Tls};
    let unknown = io(Tls::InvalidCertificate(CertificateError::UnknownIssuer));
    assert_eq!(class_of(&unknown), Class::Fatal);
    assert!(describe(&unknown).contains("tlsCAFile"), "{}", describe(&unknown));
    let broken = io(Tls::AlertReceived(AlertDescription::InternalError));
    assert_eq!(class_of(&broken), Class::Transient);
}

#[test]
fn servers_that_cannot_be_used_are_told_from_servers_that_are_away() {
    let of = |errors: &[&str]| {
        let servers = errors.iter().enumerate().map(|(number, error)| {
            format!(
                "{{ Address: h{number}:27017, Type: Unknown, Error: Kind: I/O error: {error}, labels: {{\"RetryableError\"}}, \
                 source: None, server response: None }}"
            )
        });
        refusal_of_all(&format!(
            "Server selection timeout: No available servers. Topology: {{ Type: ReplicaSetNoPrimary, Servers: [ {} ] }}",
            servers.collect::<Vec<_>>().join(", ")
        ))
    };
    let unknown = "invalid peer certificate: UnknownIssuer";
    let refused = of(&[unknown, unknown]).unwrap();
    assert!(
        refused.starts_with("h0:27017: TLS: invalid peer certificate: UnknownIssuer ("),
        "{refused}"
    );
    assert!(of(&["received fatal alert: CertificateRequired"]).is_some());
    assert_eq!(of(&[unknown, "connection refused"]), None);
    assert_eq!(of(&["received fatal alert: InternalError"]), None);
    assert_eq!(of(&[]), None);
}
