//! Connection settings of TimescaleDB.

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// Connection settings of TimescaleDB.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimescaleConfig {
    /// PostgreSQL connection URL, with the parameters that libpq knows.
    pub url: Secret,
    /// Prefix of the four schema names; empty for the warehouse in use.
    pub schema_prefix: String,
}
