//! SecantusDB, which speaks MongoDB's protocol: its program in Python, or the one in Rust.

use std::iter;
use std::path::Path;

use crate::error::StackError;
use crate::fetching::{run, write};
use crate::ports::Ports;
use crate::process::{Program, words};
use crate::tools::{self, Tool};

/// Pinned with hashes, for all platforms.
const PACKAGES: &str = include_str!("../artifacts/secantusdb.txt");
/// A published version of a crate never changes, and `--locked` builds it with the versions and hashes that it came with.
/// It asks for a newer Rust than it needs. Only what each document passes is optimised, and nothing across crates: nearly as
/// fast, and built in four fifths of the time.
const BUILD: &[&str] = &[
    "--config=profile.release.lto='off'",
    "--config=profile.release.codegen-units=16",
    "--config=profile.release.opt-level=0",
    "--config=profile.release.package.bson.opt-level=3",
    "--config=profile.release.package.libmimalloc-sys.opt-level=3",
    "--config=profile.release.package.secantus-commands.opt-level=3",
    "--config=profile.release.package.secantus-core.opt-level=3",
    "--config=profile.release.package.secantus-server.opt-level=3",
    "--config=profile.release.package.secantus-storage.opt-level=3",
    "--config=profile.release.package.secantus-storage-adapter.opt-level=3",
    "--config=profile.release.package.secantus-wire.opt-level=3",
    "--config=profile.release.package.secantus-wt.opt-level=3",
    "install",
    "secantus-mdb",
    "--version",
    "=0.5.3-beta.196",
    "--locked",
    "--ignore-rust-version",
    "--quiet",
    "--root",
    ".",
];

/// Which of SecantusDB's two programs runs. Both open the same data and take the same arguments. The one in Python refuses dates
/// beyond the year 9999, and lets nobody make the first user once `--auth` is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MongoProgram {
    /// From PyPI: there in seconds.
    #[default]
    Python,
    /// Compiled in minutes, and several times as fast: for measurements.
    Rust,
}

impl MongoProgram {
    /// Folder among the programs.
    pub(crate) const fn component(self) -> &'static str {
        match self {
            Self::Python => "mongo-python",
            Self::Rust => "mongo",
        }
    }

    /// What is fetched, for the operator.
    pub(crate) const fn described(self) -> &'static str {
        match self {
            Self::Python => "SecantusDB 0.7.0b3, 45 MB",
            Self::Rust => "and building SecantusDB 0.5.3-beta.196, which takes some minutes",
        }
    }

    /// What decides whether it is there already.
    pub(crate) fn pins(self) -> String {
        match self {
            // Packages stand in a folder that is named after Python's version.
            Self::Python => [PACKAGES, &tools::python().unwrap_or_default()].concat(),
            Self::Rust => BUILD.concat(),
        }
    }

    /// What fetching it needs beside the tools of all programs.
    pub(crate) const fn tools(self) -> &'static [Tool] {
        match self {
            Self::Python => &[("python3", "-m ensurepip --version", "python3-venv")],
            Self::Rust => &[
                ("cargo", "--version", "rustup, or see https://rustup.rs"),
                ("cmake", "--version", "cmake"),
                ("c++", "--version", "build-essential"),
            ],
        }
    }

    pub(crate) async fn fetch(self, target: &Path) -> Result<(), StackError> {
        match self {
            Self::Python => {
                write(&target.join("packages.txt"), PACKAGES)?;
                let venv = ["python3", "-m", "venv", "."];
                run("preparing Python's packages", target, &venv).await?;
                let install = [
                    "bin/python3",
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ];
                let pinned = ["--require-hashes", "--only-binary", ":all:", "-r", "packages.txt"];
                let install = [&install[..], &pinned].concat();
                run("fetching SecantusDB with pip", target, &install).await
            }
            Self::Rust => {
                let words: Vec<_> = iter::once("cargo").chain(BUILD.iter().copied()).collect();
                run("building SecantusDB with cargo", target, &words).await
            }
        }
    }

    pub(crate) fn program(self, folder: &Path, data: &Path, ports: &Ports, more: &[String]) -> Program {
        let mut line = match self {
            // Not the script beside it: its first line names the folder in which it was made.
            Self::Python => words(&["bin/python3", "-m", "secantus"]),
            Self::Rust => words(&["bin/secantusd-rs"]),
        };
        // Without --sync-on-commit a killed server loses acknowledged writes, and the default oplog of 100,000 entries
        // loses events.
        line.extend(words(&["--host", "127.0.0.1", "--sync-on-commit"]));
        line.extend(words(&["--oplog-max-entries", "10000000"]));
        line.extend(words(&["--oplog-retention-seconds", "604800"]));
        // mongod's are 10 s apart. What is lost is known once the position of an idle collection has moved.
        line.extend(words(&[
            "--noop-heartbeat-seconds",
            "1",
            "--log-level",
            "WARNING",
        ]));
        line.extend(["--port".to_owned(), ports.mongo.to_string()]);
        line.extend(["--storage-path".to_owned(), data.display().to_string()]);
        line.extend_from_slice(more);
        Program {
            words: line,
            environment: Vec::new(),
            folder: folder.to_owned(),
        }
    }
}
