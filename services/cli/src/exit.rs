//! Exit codes, and how an error with its causes is printed.

use std::error::Error;
use std::io::ErrorKind;
use std::process::ExitCode;

use pulseline_admin::dead_letters::DeadLettersError;
use pulseline_admin::eraser::EraserError;
use pulseline_admin::healer::HealerError;
use pulseline_admin::rebuilder::RebuilderError;
use pulseline_archive::ArchiveError;
use pulseline_auditor::AuditError;
use pulseline_clients::kafka::KafkaFailure;
use pulseline_clients::mongo::MongoCheckError;
use pulseline_clients::mongo::MongoOpenError;
use pulseline_clients::postgres::PostgresError;
use pulseline_clients::registry::RegistryError;
use pulseline_compactor::CompactorError;
use pulseline_console::ConsoleError;
use pulseline_generator::GeneratorError;
use pulseline_loader::LoaderError;
use pulseline_runtime::config::ConfigError;
use pulseline_runtime::telemetry::TelemetryError;
use pulseline_sink::SinkError;
use pulseline_sql::SqlError;

use crate::print;

/// How a command ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 0.
    Done,
    /// 4: verify or a backfill stopped early, or a partition is stuck; nothing is wrong so far.
    Unfinished,
    /// 1: verify found a difference, the demo's verdict is bad, a replayed dead letter remains, heal left offsets lost, a
    /// rebuilt warehouse differs, or forget still found data.
    Different,
    /// 2: `config check` found a wrong setting.
    Misconfigured,
    /// 3: `config check` found an unreachable server or a missing permission.
    Refused,
}

const DIFFERENT: u8 = 1;
const CONFIGURATION: u8 = 2;
const STOPPED: u8 = 3;
const ABANDONED: u8 = 4;

/// Prints the error, if any, and returns the exit code.
pub(crate) fn code(ended: anyhow::Result<Outcome>) -> ExitCode {
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Unfinished) => ExitCode::from(ABANDONED),
        Ok(Outcome::Different) => ExitCode::from(DIFFERENT),
        Ok(Outcome::Misconfigured) => ExitCode::from(CONFIGURATION),
        Ok(Outcome::Refused) => ExitCode::from(STOPPED),
        Err(error) => {
            print::error(&format!("error: {}", describe(&error)));
            ExitCode::from(code_of(&error))
        }
    }
}

/// Joins an error and its causes; a cause that the text already contains is skipped.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// True for files that are not what the options say, false for a failing disk.
fn is_wrong_archive(error: &ArchiveError) -> bool {
    match error {
        ArchiveError::Read { source, .. } => source.kind() == ErrorKind::NotFound,
        ArchiveError::Zip { .. }
        | ArchiveError::Zone { .. }
        | ArchiveError::Manifest { .. }
        | ArchiveError::Nobody { .. }
        | ArchiveError::Empty { .. } => true,
    }
}

/// True when the error or one of its causes passes the test: errors of services nest.
fn is_because_of<E: Error + 'static>(error: &anyhow::Error, test: impl Fn(&E) -> bool) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<E>())
        .any(test)
}

fn is_abandoned(error: &anyhow::Error) -> bool {
    is_because_of(error, |error: &LoaderError| {
        matches!(error, LoaderError::Abandoned)
    }) || is_because_of(error, |error: &SinkError| matches!(error, SinkError::Abandoned))
        || is_because_of(error, |error: &CompactorError| {
            matches!(error, CompactorError::Abandoned)
        })
        || is_because_of(error, |error: &RebuilderError| {
            matches!(error, RebuilderError::Abandoned)
        })
        || is_because_of(error, |error: &GeneratorError| {
            matches!(error, GeneratorError::Abandoned(_))
        })
}

/// True when a setting is at fault rather than a server.
pub(crate) fn is_configuration(error: &anyhow::Error) -> bool {
    is_because_of(error, |_: &ConfigError| true)
        || is_because_of(error, |error: &DeadLettersError| {
            matches!(error, DeadLettersError::NoSelection)
        })
        || is_because_of(error, |error: &LoaderError| {
            matches!(error, LoaderError::Config(_))
        })
        || is_because_of(error, |error: &SinkError| matches!(error, SinkError::Config(_)))
        || is_because_of(error, |error: &CompactorError| {
            matches!(error, CompactorError::Config(_))
        })
        || is_because_of(error, |error: &HealerError| {
            matches!(error, HealerError::Config(_))
        })
        || is_because_of(error, |error: &ConsoleError| {
            matches!(error, ConsoleError::Config(_))
        })
        || is_because_of(error, |error: &TelemetryError| {
            matches!(error, TelemetryError::Config(_))
        })
        || is_because_of(error, |error: &GeneratorError| {
            matches!(
                error,
                GeneratorError::Config(_) | GeneratorError::OtherZone { .. } | GeneratorError::NotEmpty(_)
            )
        })
        || is_because_of(error, |error: &AuditError| match error {
            AuditError::UnknownRelation { .. } | AuditError::MongoOpen(MongoOpenError::Setting(_)) => true,
            AuditError::Kafka(failure) => failure.is_configuration(),
            _ => false,
        })
        || is_because_of(error, is_wrong_archive)
        || is_wrong_client(error)
}

/// True when a client could not be created because of its settings.
fn is_wrong_client(error: &anyhow::Error) -> bool {
    is_because_of(error, KafkaFailure::is_configuration)
        || is_because_of(error, |error: &RegistryError| {
            matches!(error, RegistryError::Setting(_))
        })
        || is_because_of(error, |error: &MongoCheckError| {
            matches!(error, MongoCheckError::Open(MongoOpenError::Setting(_)))
        })
        || is_because_of(error, |error: &EraserError| match error {
            EraserError::MongoOpen(MongoOpenError::Setting(_)) => true,
            EraserError::Kafka(failure) => failure.is_configuration(),
            _ => false,
        })
        || is_because_of(
            error,
            |error: &DeadLettersError| matches!(error, DeadLettersError::Kafka(failure) if failure.is_configuration()),
        )
        || is_because_of(error, |error: &SqlError| {
            matches!(error, SqlError::Postgres(PostgresError::Settings(_)))
        })
}

fn code_of(error: &anyhow::Error) -> u8 {
    if is_abandoned(error) {
        ABANDONED
    } else if is_configuration(error) {
        CONFIGURATION
    } else {
        STOPPED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_kind_of_end_it_was() {
        assert_eq!(code_of(&LoaderError::Abandoned.into()), ABANDONED);
        assert_eq!(code_of(&ConfigError::Invalid("x".into()).into()), CONFIGURATION);
        assert_eq!(code_of(&TelemetryError::Config("x".into()).into()), CONFIGURATION);
        assert_eq!(code_of(&CompactorError::LeaseLost.into()), STOPPED);
        assert_eq!(code_of(&GeneratorError::Abandoned(1).into()), ABANDONED);
    }

    #[test]
    fn an_error_inside_other_errors_keeps_its_exit_code() {
        let healer = || HealerError::from(LoaderError::Abandoned);
        let abandoned: [anyhow::Error; 9] = [
            SinkError::Abandoned.into(),
            CompactorError::Abandoned.into(),
            RebuilderError::Abandoned.into(),
            healer().into(),
            HealerError::from(SinkError::Abandoned).into(),
            DeadLettersError::from(LoaderError::Abandoned).into(),
            RebuilderError::from(CompactorError::Abandoned).into(),
            RebuilderError::from(LoaderError::Abandoned).into(),
            RebuilderError::from(healer()).into(),
        ];
        for error in abandoned {
            // It appears once, however deeply it is nested.
            let text = describe(&error);
            assert_eq!(text.matches("abandoned").count(), 1, "{text}");
            assert_eq!(code_of(&error), ABANDONED, "{text}");
            assert_eq!(code_of(&error.context("rebuilding")), ABANDONED, "{text}");
        }
        let wrong = RebuilderError::from(HealerError::from(SinkError::Config("sink.group".into())));
        assert_eq!(code_of(&wrong.into()), CONFIGURATION);
        assert_eq!(code_of(&RebuilderError::LeaseLost.into()), STOPPED);
    }

    #[test]
    fn causes_are_told_once() {
        let inner = anyhow::anyhow!("no such file");
        assert_eq!(
            describe(&inner.context("x cannot be read")),
            "x cannot be read: no such file"
        );
        let said = anyhow::anyhow!("gone").context("server: gone");
        assert_eq!(describe(&said), "server: gone");
    }
}
