//! Exit codes: what a shell or an orchestrator learns.

use std::process::ExitCode;

use pulseline_compactor::CompactorError;
use pulseline_loader::LoaderError;
use pulseline_runtime::config::ConfigError;
use pulseline_sink::SinkError;

use crate::print;

/// How a command ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 0.
    Done,
    /// 1: verify found a difference, or the demo's verdict is bad.
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
        Ok(Outcome::Different) => ExitCode::from(DIFFERENT),
        Err(error) => {
            print::error(&format!("error: {error}"));
            ExitCode::from(code_of(&error))
        }
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    let is_abandoned = matches!(error.downcast_ref(), Some(LoaderError::Abandoned))
        || matches!(error.downcast_ref(), Some(SinkError::Abandoned))
        || matches!(error.downcast_ref(), Some(CompactorError::Abandoned));
    let is_configuration = error.is::<ConfigError>()
        || matches!(error.downcast_ref(), Some(LoaderError::Config(_)))
        || matches!(error.downcast_ref(), Some(SinkError::Config(_)))
        || matches!(error.downcast_ref(), Some(CompactorError::Config(_)));
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
        assert_eq!(code_of(&CompactorError::LeaseLost.into()), STOPPED);
    }
}
