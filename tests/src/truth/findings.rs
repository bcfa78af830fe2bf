//! Results of a comparison.

use std::collections::HashMap;
use std::fmt;

/// Findings shown of each kind.
const SHOWN: usize = 5;

/// Results of a comparison. Each list holds a text per deviation.
#[derive(Debug, Default)]
pub struct Findings {
    /// Rows and documents that were compared.
    pub compared: usize,
    /// Expected, but missing.
    pub missing: Vec<String>,
    /// Present, but not expected.
    pub spurious: Vec<String>,
    /// Present with other values.
    pub corrupted: Vec<String>,
}

impl Findings {
    /// True if there is no deviation.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.spurious.is_empty() && self.corrupted.is_empty()
    }

    pub(crate) fn compare<K, V>(
        &mut self,
        what: &str,
        expected: impl IntoIterator<Item = (K, V)>,
        mut found: HashMap<K, V>,
    ) where
        K: fmt::Debug + Eq + std::hash::Hash,
        V: fmt::Debug + PartialEq,
    {
        for (key, value) in expected {
            self.compared += 1;
            match found.remove(&key) {
                None => self.missing.push(format!("{what} {key:?}")),
                Some(other) if other != value => {
                    self.corrupted
                        .push(format!("{what} {key:?}: {other:?} instead of {value:?}"));
                }
                Some(_) => {}
            }
        }
        self.spurious
            .extend(found.into_keys().map(|key| format!("{what} {key:?}")));
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("missing", &self.missing),
            ("spurious", &self.spurious),
            ("corrupted", &self.corrupted),
        ];
        write!(f, "{} compared", self.compared)?;
        for (kind, texts) in kinds {
            write!(f, "; {} {kind}", texts.len())?;
            for text in texts.iter().take(SHOWN) {
                write!(f, "\n  {kind}: {text}")?;
            }
        }
        Ok(())
    }
}
