//! Connection settings of MongoDB.

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// Connection settings of MongoDB.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MongoConfig {
    /// Connection string of a replica set or a sharded cluster: `mongodb://` or `mongodb+srv://`.
    pub uri: Secret,
    /// Database that holds the collections.
    pub database: String,
}

impl Default for MongoConfig {
    fn default() -> Self {
        Self {
            uri: Secret::default(),
            database: "pulseline".into(),
        }
    }
}
