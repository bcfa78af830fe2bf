//! A setting that is never printed.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

/// A value that is never printed: it shows as `***` in logs, errors and `config show`. A configuration gives it as text,
/// or as `{ file = "/run/secrets/name" }`; in the environment, append `_FILE` to the variable's name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Text(String),
            File { file: PathBuf },
        }
        let refused = |_| serde::de::Error::custom("a secret must be a text, or { file = \"PATH\" }");
        match Given::deserialize(deserializer).map_err(refused)? {
            Given::Text(text) => Ok(Self(text)),
            Given::File { file } => {
                let text = std::fs::read_to_string(&file);
                let text = text.map_err(|error| {
                    serde::de::Error::custom(format!("cannot read the file {}: {error}", file.display()))
                })?;
                // Editors and `echo` end a file with a newline; no password ends with one.
                Ok(Self(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }
}

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for handing it to a driver only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when nothing was configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "***" })
    }
}
