//! Interprets answers, and distinguishes the registry from a proxy in front of it.

use std::error::Error;

use pulseline_schemas::WriterSchema;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::error::RegistryError;

/// Error code of an unknown schema id, for every registry.
const SCHEMA_NOT_FOUND: i64 = 40_403;
/// Longer than any schema: a longer answer is a foreign page.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Longest excerpt of a foreign answer.
const EXCERPT_CHARS: usize = 120;

/// Kind of request, which decides the meaning of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The schema of this id.
    Schema(u32),
    /// The id of a schema.
    Registration,
    /// The rule for new versions.
    Compatibility,
    /// The list of subjects.
    Subjects,
}

/// A registry's error body.
#[derive(Deserialize)]
struct Said {
    error_code: i64,
    #[serde(default)]
    message: Option<String>,
}

/// Reads an answer's body up to the limit; a longer body becomes invalid JSON.
pub(super) async fn body_of(mut answer: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_BYTES_MAX {
            break;
        }
    }
    Ok(body)
}

/// Interprets an answer of `place`.
pub(super) fn interpret(
    status: StatusCode,
    body: &[u8],
    asked: Asked,
    place: &str,
) -> Result<Value, RegistryError> {
    if status.is_success() {
        if asked == Asked::Compatibility && body.is_empty() {
            return Ok(Value::Null);
        }
        return serde_json::from_slice(body).map_err(|error| RegistryError::Unavailable {
            reason: format!(
                "{place}: the answer is not valid JSON: {error}: {}",
                excerpt(body)
            ),
        });
    }
    let Ok(said) = serde_json::from_slice::<Said>(body) else {
        return Err(match status.as_u16() {
            401 | 403 => denied(status, &excerpt(body), place),
            // nginx's message for a missing or refused client certificate, after a successful handshake.
            400 | 495 | 496 if excerpt(body).contains("SSL certificate") => RegistryError::Denied {
                reason: format!(
                    "{place} refuses access: {}; check registry.ssl_certificate and registry.ssl_key",
                    excerpt(body)
                ),
            },
            _ => RegistryError::Unavailable {
                reason: format!(
                    "{place}: {status} without a registry's error body: {}",
                    excerpt(body)
                ),
            },
        });
    };
    let message = said.message.unwrap_or_default();
    Err(match (status.as_u16(), asked) {
        (401 | 403, _) => denied(status, &message, place),
        (404, Asked::Schema(id)) if said.error_code == SCHEMA_NOT_FOUND => RegistryError::NotFound { id },
        // Rejections of a schema or a rule. Reading only rejects unknown ids.
        (400 | 405..=407 | 409..=428 | 430..=499, Asked::Registration | Asked::Compatibility) => {
            RegistryError::Refused {
                reason: format!("{message} ({}, {place})", said.error_code),
            }
        }
        _ => RegistryError::Unavailable {
            reason: format!("{place}: {status}: {message} ({})", said.error_code),
        },
    })
}

fn denied(status: StatusCode, message: &str, place: &str) -> RegistryError {
    RegistryError::Denied {
        reason: format!(
            "{place} refuses access: {status}: {message}; check registry.username and registry.password, or \
             registry.bearer_token"
        ),
    }
}

/// The id in the answer to a registration.
pub(super) fn id_of(answer: &Value) -> Result<u32, RegistryError> {
    let id = answer.get("id").and_then(Value::as_u64);
    id.and_then(|id| u32::try_from(id).ok())
        .ok_or_else(|| RegistryError::Unavailable {
            reason: "the answer to a registration has no id".into(),
        })
}

/// The number of subjects in an answer.
pub(super) fn count_of(answer: &Value) -> Result<usize, RegistryError> {
    let subjects = answer.as_array().map(Vec::len);
    subjects.ok_or_else(|| RegistryError::Unavailable {
        reason: "the answer to the request for subjects is not a list".into(),
    })
}

/// The schema in an answer.
pub(super) fn schema_of(id: u32, answer: &Value) -> Result<WriterSchema, RegistryError> {
    let text = |name| answer.get(name).and_then(Value::as_str);
    let schema = text("schema").ok_or_else(|| RegistryError::Unavailable {
        reason: format!("the answer to id {id} has no schema"),
    })?;
    let invalid = |reason| RegistryError::Invalid {
        reason: format!("id {id}{reason}"),
    };
    match text("schemaType") {
        None | Some("AVRO") => {}
        Some(other) => return Err(invalid(format!(" is {other}, not Avro"))),
    }
    WriterSchema::parse(schema).map_err(|error| invalid(format!(": {error}")))
}

/// The error when no URL succeeded: an unreachable one may return, so an outage outweighs refusals.
pub(super) fn joined(failures: Vec<RegistryError>) -> RegistryError {
    let is_away = |error: &RegistryError| matches!(error, RegistryError::Unavailable { .. });
    let is_outage = failures.iter().any(is_away);
    let reasons = failures.into_iter().filter_map(|error| match error {
        RegistryError::Unavailable { reason } | RegistryError::Denied { reason } => Some(reason),
        _ => None,
    });
    let reason = reasons.collect::<Vec<_>>().join("; ");
    if is_outage {
        RegistryError::Unavailable { reason }
    } else {
        RegistryError::Denied { reason }
    }
}

/// An error with its causes; the outermost only says "error sending request".
pub(super) fn reason_of(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// The start of a foreign answer, on one line.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words
        .chars()
        .filter(|c| !c.is_control())
        .take(EXCERPT_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str, asked: Asked) -> RegistryError {
        interpret(
            StatusCode::from_u16(status).unwrap(),
            body.as_bytes(),
            asked,
            "r:1",
        )
        .unwrap_err()
    }

    fn said(code: i64) -> String {
        serde_json::json!({ "error_code": code, "message": "said" }).to_string()
    }

    #[test]
    fn only_the_registrys_own_40403_is_an_unknown_schema() {
        let id = Asked::Schema(7);
        assert_eq!(of(404, &said(40_403), id), RegistryError::NotFound { id: 7 });
        // What Confluent's answers come with beside the two fields does not matter.
        let more = r#"{"error_code": 40403, "message": null, "name": "ContentNotFoundException"}"#;
        assert_eq!(of(404, more, id), RegistryError::NotFound { id: 7 });
        let cut = &said(40_403)[..20];
        for body in [
            "",
            "<html>default backend - 404</html>",
            cut,
            "{}",
            &said(404),
            &said(40_401),
        ] {
            assert!(
                matches!(of(404, body, id), RegistryError::Unavailable { .. }),
                "{body}"
            );
        }
        // A proxy's 404 to a registration neither stops nor refuses.
        let posted = of(404, &said(40_403), Asked::Registration);
        assert!(matches!(posted, RegistryError::Unavailable { .. }));
    }

    #[test]
    fn what_passes_is_an_outage_whoever_says_it() {
        for status in [301, 302, 307, 408, 429, 500, 502, 503, 504] {
            for (body, asked) in [
                (said(50_001), Asked::Schema(7)),
                (said(i64::from(status)), Asked::Registration),
                ("<html>".into(), Asked::Compatibility),
            ] {
                let error = of(status, &body, asked);
                assert!(
                    matches!(error, RegistryError::Unavailable { .. }),
                    "{status} {error}"
                );
            }
        }
    }

    #[test]
    fn a_schema_is_refused_in_the_registrys_words_only() {
        for (status, code) in [(409, 409), (409, 40_901), (422, 42_201)] {
            let error = of(status, &said(code), Asked::Registration);
            assert!(matches!(error, RegistryError::Refused { reason } if reason.contains("said")));
            let foreign = of(status, "<html>conflict</html>", Asked::Registration);
            assert!(matches!(foreign, RegistryError::Unavailable { .. }));
            let read = of(status, &said(code), Asked::Schema(1));
            assert!(matches!(read, RegistryError::Unavailable { .. }));
        }
    }

    #[test]
    fn who_may_not_ask_stops_and_learns_the_setting() {
        for status in [401, 403] {
            for body in [
                said(i64::from(status)),
                "<html>login</html>".into(),
                String::new(),
            ] {
                let RegistryError::Denied { reason } = of(status, &body, Asked::Schema(1)) else {
                    panic!("{status} {body}")
                };
                assert!(
                    reason.contains("registry.username") && reason.contains("r:1"),
                    "{reason}"
                );
            }
        }
    }

    #[test]
    fn an_ingress_that_misses_a_certificate_is_no_outage() {
        let page = "<html><head><title>400 No required SSL certificate was sent</title></head></html>";
        let missed = of(400, page, Asked::Registration);
        assert!(
            matches!(&missed, RegistryError::Denied { reason } if reason.contains("registry.ssl_certificate")),
            "{missed}"
        );
        let other = of(400, "<html>400 Bad Request</html>", Asked::Registration);
        assert!(matches!(other, RegistryError::Unavailable { .. }), "{other}");
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_outage_and_another_format_a_dead_letter() {
        let cut = interpret(StatusCode::OK, br#"{"schema": "{\"ty"#, Asked::Schema(1), "r:1");
        assert!(matches!(cut, Err(RegistryError::Unavailable { .. })));
        let of = |answer: &str| schema_of(3, &serde_json::from_str(answer).unwrap()).unwrap_err();
        assert!(matches!(of("{}"), RegistryError::Unavailable { .. }));
        assert!(matches!(
            of(r#"{"schemaType": "PROTOBUF", "schema": "x"}"#),
            RegistryError::Invalid { .. }
        ));
        assert!(matches!(of(r#"{"schema": "x"}"#), RegistryError::Invalid { .. }));
    }

    #[test]
    fn one_that_is_away_may_come_back_however_the_others_refuse() {
        let away = || RegistryError::Unavailable { reason: "a".into() };
        let refused = || RegistryError::Denied { reason: "b".into() };
        assert_eq!(
            joined(vec![away(), refused()]),
            RegistryError::Unavailable {
                reason: "a; b".into()
            }
        );
        assert!(matches!(
            joined(vec![refused(), refused()]),
            RegistryError::Denied { .. }
        ));
    }
}
