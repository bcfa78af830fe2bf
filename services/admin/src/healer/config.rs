//! The healer's settings, and the reasons for their defaults.

use serde::{Deserialize, Serialize};

/// Every document is kept by default.
const RETAIN_DOCUMENTS_DAYS: i32 = 0;
/// Totals arrive for 30 days, and a loss may be noticed as late: what is younger can still be repaired.
const LEAST_RETAIN_DOCUMENTS_DAYS: i32 = 62;

/// Settings of the healer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealerConfig {
    /// How many days of MongoDB's documents of readings are kept; 0 keeps all.
    pub retain_documents_days: i32,
}

impl Default for HealerConfig {
    fn default() -> Self {
        Self {
            retain_documents_days: RETAIN_DOCUMENTS_DAYS,
        }
    }
}

impl HealerConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// The full name of the wrong setting, and what it must be.
    pub fn validate(&self) -> Result<(), String> {
        let days = self.retain_documents_days;
        if days != 0 && days < LEAST_RETAIN_DOCUMENTS_DAYS {
            return Err(format!(
                "healer.retain_documents_days must be 0, which keeps every document, or at least {LEAST_RETAIN_DOCUMENTS_DAYS}"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_12_young_documents_are_never_removed() {
        for (retain_documents_days, is_right) in [(0, true), (62, true), (61, false), (-1, false)] {
            let config = HealerConfig {
                retain_documents_days,
            };
            assert_eq!(config.validate().is_ok(), is_right, "{retain_documents_days}");
        }
    }
}
