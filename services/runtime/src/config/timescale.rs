//! Where TimescaleDB is.

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// Where TimescaleDB is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimescaleConfig {
    /// PostgreSQL connection URL, with the parameters that libpq knows.
    pub url: Secret,
    /// What stands before the names of the four schemas; nothing for the warehouse in use.
    pub schema_prefix: String,
}
