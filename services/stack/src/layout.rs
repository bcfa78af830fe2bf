//! Folders: stacks under one root share programs; data and logs belong to one stack.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::StackError;

/// Addresses of the four servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// `host:port` of Kafka.
    pub kafka_brokers: String,
    /// Base URL of the registry's Confluent API.
    pub registry_url: String,
    /// MongoDB connection string.
    pub mongo_uri: String,
    /// PostgreSQL connection URL.
    pub timescale_url: String,
}

impl Endpoints {
    /// The settings of Pulseline that point to these servers.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("PULSELINE__KAFKA__BROKERS", &self.kafka_brokers),
            ("PULSELINE__REGISTRY__URL", &self.registry_url),
            ("PULSELINE__MONGO__URI", &self.mongo_uri),
            ("PULSELINE__TIMESCALE__URL", &self.timescale_url),
        ]
    }
}

/// Paths of one stack.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    run: PathBuf,
}

impl Layout {
    /// The paths of the stack `name` under `root`.
    pub(crate) fn new(root: &Path, name: &str) -> Result<Self, StackError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(StackError::Name(name.to_owned()));
        }
        fs::create_dir_all(root).map_err(StackError::io(format!("create {}", root.display())))?;
        let root = root
            .canonicalize()
            .map_err(StackError::io(format!("open {}", root.display())))?;
        let run = root.join("run").join(name);
        fs::create_dir_all(run.join("logs")).map_err(StackError::io(format!("create {}", run.display())))?;
        Ok(Self { root, run })
    }

    /// Folder of a provisioned component.
    pub(crate) fn component(&self, name: &str) -> PathBuf {
        self.root.join("programs").join(name)
    }

    pub(crate) fn programs(&self) -> PathBuf {
        self.root.join("programs")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.run.join("data")
    }

    pub(crate) fn log(&self, server: &str) -> PathBuf {
        self.run.join("logs").join(format!("{server}.log"))
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.run.join("lock")
    }

    pub(crate) fn endpoints(&self) -> PathBuf {
        self.run.join("endpoints.json")
    }
}
