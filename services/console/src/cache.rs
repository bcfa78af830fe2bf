//! Caches answers for two seconds. Pure: the caller passes the time.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How long an answer is valid.
const FRESH: Duration = Duration::from_secs(2);
/// Most answers to keep, so that many different queries do not fill the memory.
const KEPT: usize = 64;

/// Answers by query.
#[derive(Debug)]
pub(crate) struct Cache<K, V>(HashMap<K, (Instant, V)>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// The answer, while it is valid.
    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<V> {
        let (at, value) = self.0.get(key)?;
        (now < *at + FRESH).then(|| value.clone())
    }

    /// Stores an answer; drops expired ones, and all when there are too many.
    pub(crate) fn put(&mut self, key: K, value: V, now: Instant) {
        self.0.retain(|_, (at, _)| now < *at + FRESH);
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        self.0.insert(key, (now, value));
    }

    /// Invalidates all answers after a change.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_for_a_while_and_never_too_many_are_kept() {
        let (mut cache, began) = (Cache::default(), Instant::now());
        cache.put("a", 1, began);
        assert_eq!(cache.get(&"a", began), Some(1));
        assert_eq!(cache.get(&"a", began + FRESH), None);
        assert_eq!(cache.get(&"b", began), None);
        cache.put("b", 2, began + FRESH);
        assert_eq!(cache.0.len(), 1, "what is old is dropped");
        cache.clear();
        assert_eq!(cache.get(&"b", began + FRESH), None);
        let mut many = Cache::default();
        (0..10 * KEPT).for_each(|key| many.put(key, (), began));
        assert!(many.0.len() <= KEPT);
    }
}
