//! Answers that serve whoever asks the same within two seconds. Pure: time is told.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(2);
/// Answers that are kept: whoever asks for many different things does not fill the memory.
const KEPT: usize = 64;

/// Answers by question.
#[derive(Debug)]
pub(crate) struct Cache<K, V>(HashMap<K, (Instant, V)>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// The answer, while it is good.
    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<V> {
        let (at, value) = self.0.get(key)?;
        (now < *at + FRESH).then(|| value.clone())
    }

    /// Keeps an answer; drops what is old, and everything when there is too much.
    pub(crate) fn put(&mut self, key: K, value: V, now: Instant) {
        self.0.retain(|_, (at, _)| now < *at + FRESH);
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        self.0.insert(key, (now, value));
    }

    /// Something was changed: nothing is good any more.
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
