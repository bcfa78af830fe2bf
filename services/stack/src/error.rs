//! Errors of the embedded servers.

use std::path::PathBuf;

/// An error of the embedded servers, with advice.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A missing or outdated program.
    #[error("{tool} is missing or too old: {needed}. On Debian: apt-get install {package}")]
    Tool {
        /// The program.
        tool: &'static str,
        /// The required version.
        needed: String,
        /// The Debian package that provides it.
        package: &'static str,
    },
    /// A failed package client.
    #[error("{what} failed:\n{output}")]
    Command {
        /// The operation.
        what: String,
        /// Its last lines.
        output: String,
    },
    /// A download with the wrong hash.
    #[error(
        "the SHA-256 of {file} differs from the pinned one: remove it from the package cache and try again"
    )]
    Hash {
        /// The file.
        file: String,
    },
    /// A server that ended or did not become ready.
    #[error("{server} did not become ready: {reason}\nits log ({}) ends with:\n{tail}", log.display())]
    NotReady {
        /// The server.
        server: &'static str,
        /// The reason.
        reason: String,
        /// Its log file.
        log: PathBuf,
        /// Last lines of the log.
        tail: String,
    },
    /// The stack is already running.
    #[error(
        "the stack \"{name}\" is already running: use it with --stack {name}, stop it with `pulseline stack down --name {name}`, or choose another --name"
    )]
    Running {
        /// Its name.
        name: String,
    },
    /// The stack is not running.
    #[error("the stack \"{name}\" is not running: start it with `pulseline stack up --detach --name {name}`")]
    NotRunning {
        /// Its name.
        name: String,
    },
    /// An invalid name: it becomes part of a path.
    #[error("the stack name \"{0}\" is invalid: use letters, digits, - and _")]
    Name(String),
    /// A failed file or process operation.
    #[error("{what}")]
    Io {
        /// The operation.
        what: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

impl StackError {
    /// Wraps a system error of an operation, named by its infinitive.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io {
            what: format!("cannot {what}: {source}"),
            source,
        }
    }
}
