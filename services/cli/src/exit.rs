//! Exit codes: what a shell or an orchestrator learns.

use std::io::ErrorKind;
use std::process::ExitCode;

use pulseline_archive::ArchiveError;
use pulseline_auditor::AuditError;
use pulseline_compactor::CompactorError;
use pulseline_console::ConsoleError;
use pulseline_generator::GeneratorError;
use pulseline_letters::LettersError;
use pulseline_loader::LoaderError;
use pulseline_runtime::config::ConfigError;
use pulseline_runtime::telemetry::TelemetryError;
use pulseline_sink::SinkError;

use crate::print;

/// How a command ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 0.
    Done,
    /// 4: verify or a backfill was stopped before its end; nothing is wrong so far.
    Unfinished,
    /// 1: verify found a difference, the demo's verdict is bad, a replayed letter stays, heal leaves a hole, a
    /// rebuilt warehouse differs, or forget finds something.
    Different,
}

const DIFFERENT: u8 = 1;
const CONFIGURATION: u8 = 2;
const STOPPED: u8 = 3;
const ABANDONED: u8 = 4;

/// The exit code, with the error told.
pub(crate) fn code(ended: anyhow::Result<Outcome>) -> ExitCode {
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Unfinished) => ExitCode::from(ABANDONED),
        Ok(Outcome::Different) => ExitCode::from(DIFFERENT),
        Err(error) => {
            print::error(&format!("error: {}", told(&error)));
            ExitCode::from(code_of(&error))
        }
    }
}

/// An error with its causes; those that its own text tells already are not told again.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Files that are not as they were said to be, rather than a disk that fails.
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

fn code_of(error: &anyhow::Error) -> u8 {
    let is_abandoned = matches!(error.downcast_ref(), Some(LoaderError::Abandoned))
        || matches!(error.downcast_ref(), Some(SinkError::Abandoned))
        || matches!(error.downcast_ref(), Some(CompactorError::Abandoned))
        || matches!(error.downcast_ref(), Some(GeneratorError::Abandoned(_)));
    let is_configuration = error.is::<ConfigError>()
        || matches!(error.downcast_ref(), Some(LettersError::NoSelection))
        || matches!(error.downcast_ref(), Some(LoaderError::Config(_)))
        || matches!(error.downcast_ref(), Some(SinkError::Config(_)))
        || matches!(error.downcast_ref(), Some(CompactorError::Config(_)))
        || matches!(error.downcast_ref(), Some(ConsoleError::Config(_)))
        || matches!(error.downcast_ref(), Some(TelemetryError::Config(_)))
        || matches!(
            error.downcast_ref(),
            Some(GeneratorError::Config(_) | GeneratorError::OtherZone { .. } | GeneratorError::NotEmpty(_))
        )
        || matches!(error.downcast_ref(), Some(AuditError::UnknownRelation { .. }))
        || error.downcast_ref().is_some_and(is_wrong_archive);
    match (is_abandoned, is_configuration) {
        (true, _) => ABANDONED,
        (_, true) => CONFIGURATION,
        _ => STOPPED,
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
    fn causes_are_told_once() {
        let inner = anyhow::anyhow!("no such file");
        assert_eq!(
            told(&inner.context("x cannot be read")),
            "x cannot be read: no such file"
        );
        let said = anyhow::anyhow!("gone").context("server: gone");
        assert_eq!(told(&said), "server: gone");
    }
}
