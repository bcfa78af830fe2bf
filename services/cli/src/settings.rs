//! All settings of the program; unknown keys are refused.

use std::time::Duration;

use pulseline_admin::healer::HealerConfig;
use pulseline_compactor::CompactorConfig;
use pulseline_console::ConsoleConfig;
use pulseline_loader::LoaderConfig;
use pulseline_runtime::config::{
    ConfigError, KafkaConfig, MongoConfig, RegistryConfig, Secret, TimescaleConfig, load, origins, require,
};
use pulseline_runtime::telemetry::{self, TelemetryConfig};
use pulseline_sink::SinkConfig;
use pulseline_stack::Endpoints;
use serde::{Deserialize, Serialize};

use crate::args::Cli;
use crate::renamed;

/// How long a stop may take before unfinished work is abandoned. Orchestrators allow 30 s by default.
const DRAIN_MS: u64 = 20_000;

/// All settings; unknown keys are refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) kafka: KafkaConfig,
    pub(crate) registry: RegistryConfig,
    pub(crate) mongo: MongoConfig,
    pub(crate) timescale: TimescaleConfig,
    pub(crate) telemetry: TelemetryConfig,
    pub(crate) sink: SinkConfig,
    pub(crate) loader: LoaderConfig,
    pub(crate) compactor: CompactorConfig,
    pub(crate) healer: HealerConfig,
    pub(crate) console: ConsoleConfig,
    /// How long a stop may take, in milliseconds.
    pub(crate) drain_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kafka: KafkaConfig::default(),
            registry: RegistryConfig::default(),
            mongo: MongoConfig::default(),
            timescale: TimescaleConfig::default(),
            telemetry: TelemetryConfig::default(),
            sink: SinkConfig::default(),
            loader: LoaderConfig::default(),
            compactor: CompactorConfig::default(),
            healer: HealerConfig::default(),
            console: ConsoleConfig::default(),
            drain_ms: DRAIN_MS,
        }
    }
}

impl Settings {
    /// Reads defaults, then the file, then the environment. `--stack` supplies addresses that are still unset.
    pub(crate) fn load(cli: &Cli) -> anyhow::Result<Self> {
        let mut settings: Self = load(cli.config.as_deref())?;
        for warning in renamed::warnings(&origins(cli.config.as_deref())?) {
            telemetry::init_logs();
            tracing::warn!("{warning}");
        }
        if let Some(name) = &cli.stack {
            settings.fill(&pulseline_stack::endpoints(&cli.stack_root, name)?);
        }
        Ok(settings)
    }

    /// Default settings with the servers at `endpoints`.
    pub(crate) fn at(endpoints: &Endpoints) -> Self {
        let mut settings = Self::default();
        settings.fill(endpoints);
        settings
    }

    fn fill(&mut self, endpoints: &Endpoints) {
        let fill = |value: &mut String, from: &str| {
            if value.is_empty() {
                from.clone_into(value);
            }
        };
        fill(&mut self.kafka.brokers, &endpoints.kafka_brokers);
        for (secret, from) in [
            (&mut self.registry.url, &endpoints.registry_url),
            (&mut self.mongo.uri, &endpoints.mongo_uri),
            (&mut self.timescale.url, &endpoints.timescale_url),
        ] {
            if secret.is_empty() {
                *secret = Secret::new(from.clone());
            }
        }
    }

    pub(crate) fn require_kafka(&self) -> Result<(), ConfigError> {
        require(&self.kafka.brokers, "kafka", "brokers")
    }

    pub(crate) fn require_registry(&self) -> Result<(), ConfigError> {
        require(self.registry.url.expose(), "registry", "url")
    }

    pub(crate) fn require_mongo(&self) -> Result<(), ConfigError> {
        require(self.mongo.uri.expose(), "mongo", "uri")
    }

    pub(crate) fn require_timescale(&self) -> Result<(), ConfigError> {
        require(self.timescale.url.expose(), "timescale", "url")
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }

    /// The connections that `status` and `verify` compare.
    pub(crate) fn audited(&self) -> Result<pulseline_auditor::AuditorConnections, ConfigError> {
        self.require_kafka()?;
        self.require_mongo()?;
        self.require_timescale()?;
        Ok(pulseline_auditor::AuditorConnections {
            kafka: self.kafka.clone(),
            mongo: self.mongo.clone(),
            timescale: self.timescale.clone(),
            group: self.sink.group.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_example_file_holds_every_setting_with_its_default() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/pulseline.toml");
        let read: Settings = pulseline_runtime::config::load_from(Some(&path), Some(HashMap::new())).unwrap();
        let defaults = Settings::default();
        assert_eq!(format!("{read:?}"), format!("{defaults:?}"));
        let text = std::fs::read_to_string(&path).unwrap();
        let sections = [
            serde_json::to_value(&defaults.telemetry).unwrap(),
            serde_json::to_value(&defaults.sink).unwrap(),
            serde_json::to_value(&defaults.loader).unwrap(),
            serde_json::to_value(&defaults.compactor).unwrap(),
            serde_json::to_value(&defaults.healer).unwrap(),
            serde_json::to_value(&defaults.console).unwrap(),
        ];
        for key in sections
            .iter()
            .flat_map(|section| section.as_object().unwrap().keys())
        {
            let stands = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
            assert!(text.lines().any(stands), "{key} is missing");
        }
    }
}
