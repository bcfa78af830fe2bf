//! Why the embedded servers cannot run.

use std::path::PathBuf;

/// Why the embedded servers cannot run. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A program is not there, or too old.
    #[error("{tool} is missing or too old: {needed}. On Debian: apt-get install {package}")]
    Tool {
        /// The program.
        tool: &'static str,
        /// What is needed of it.
        needed: String,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// A package client failed.
    #[error("{what} failed:\n{output}")]
    Command {
        /// What was tried.
        what: String,
        /// Its last lines.
        output: String,
    },
    /// What arrived is not what is pinned.
    #[error("{file} has another SHA-256 than the pinned one: remove it from the package cache and try again")]
    Hash {
        /// The file.
        file: String,
    },
    /// A server ended or did not become ready.
    #[error("{server} did not become ready: {reason}\nits log ({}) ends with:\n{tail}", log.display())]
    NotReady {
        /// Which server.
        server: &'static str,
        /// What was seen.
        reason: String,
        /// Its log file.
        log: PathBuf,
        /// Last lines of the log.
        tail: String,
    },
    /// Somebody else runs this stack.
    #[error(
        "the stack \"{name}\" runs already: use it with --stack {name}, stop it with `pulseline stack down --name {name}`, or choose another --name"
    )]
    Running {
        /// Its name.
        name: String,
    },
    /// Nobody runs this stack.
    #[error("no stack \"{name}\" runs here: start it with `pulseline stack up --detach --name {name}`")]
    NotRunning {
        /// Its name.
        name: String,
    },
    /// A stack's name is part of a path.
    #[error("the name \"{0}\" is not allowed: use letters, digits, - and _")]
    Name(String),
    /// A file or process could not be handled.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl StackError {
    /// Says what was tried when the system refused.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io {
            what: format!("{what}: {source}"),
            source,
        }
    }
}
