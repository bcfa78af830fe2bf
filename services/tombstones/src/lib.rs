//! Tombstones of erased people (E-1): a keyed hash per person and device recognises later deliveries without storing
//! identities.
//!
//! The sink reads the hashes from MongoDB, the loader from `ops.forgotten`. The key is stored in MongoDB only, so a copy of
//! the warehouse does not reveal who was in it (P13).

mod register;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

pub use register::{Added, Register};

/// Length of an id as text, and the positions of its dashes.
const TEXT_BYTES: usize = 36;
const DASHES: [usize; 4] = [8, 13, 18, 23];

/// HMAC-SHA256 of an id.
pub type Tombstone = [u8; 32];

/// Local days since 1970-01-01, the end exclusive. `i32::MIN` and `i32::MAX` stand for no bound.
pub type Days = Range<i32>;

/// True when one of these holds the day.
#[must_use]
pub fn hold_day(days: &[Days], day: i32) -> bool {
    days.iter().any(|days| days.contains(&day))
}

/// The key of the hashes.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// A random key.
    #[must_use]
    pub fn random() -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        Self(key)
    }

    /// A stored key; none when its length is wrong.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes, for storage.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hash of a person's or a device's id.
    #[must_use]
    pub fn hash(&self, id: Uuid) -> Tombstone {
        self.hash_bytes(id.as_bytes())
    }

    /// The hash of a device's days, which identifies their tombstone.
    pub(crate) fn hash_of_days(&self, device: Uuid, days: &Days) -> Tombstone {
        let (from, until) = (days.start.to_be_bytes(), days.end.to_be_bytes());
        self.hash_bytes(&[device.as_bytes().as_slice(), &from, &until].concat())
    }

    fn hash_bytes(&self, bytes: &[u8]) -> Tombstone {
        // HMAC accepts keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            unreachable!("HMAC takes keys of any length")
        };
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// All tombstones at the time of reading.
#[derive(Clone, Debug, Default)]
pub struct Tombstones {
    key: Option<Key>,
    hashes: HashSet<Tombstone>,
    days: HashMap<Tombstone, Vec<Days>>,
}

impl Tombstones {
    /// Tombstones with these hashes.
    #[must_use]
    pub fn new(key: Key, hashes: HashSet<Tombstone>) -> Self {
        Self {
            key: Some(key),
            hashes,
            days: HashMap::new(),
        }
    }

    /// The same, with erased days of devices that belong to another person on other days (P17).
    #[must_use]
    pub fn with_days(mut self, days: impl IntoIterator<Item = (Tombstone, Days)>) -> Self {
        for (device, days) in days {
            self.days.entry(device).or_default().push(days);
        }
        self
    }

    /// True when no person has been erased.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty() && self.days.is_empty()
    }

    /// The erased days of a device that belongs to another person on other days.
    #[must_use]
    pub fn days_of(&self, device: Uuid) -> &[Days] {
        match &self.key {
            Some(key) if !self.days.is_empty() => self.days.get(&key.hash(device)).map_or(&[], Vec::as_slice),
            _ => &[],
        }
    }

    /// True when this person or device was erased.
    #[must_use]
    pub fn hold(&self, id: Uuid) -> bool {
        match &self.key {
            Some(key) if !self.hashes.is_empty() => self.hashes.contains(&key.hash(id)),
            _ => false,
        }
    }

    /// The erased days of the device that a message key names, as text or 16 bytes.
    #[must_use]
    pub fn days_of_key(&self, key: &[u8]) -> &[Days] {
        if self.days.is_empty() {
            return &[];
        }
        id_of(key).map_or(&[], |id| self.days_of(id))
    }

    /// True when a message key, as text or 16 bytes, names an erased person or device.
    #[must_use]
    pub fn hold_key(&self, key: &[u8]) -> bool {
        !self.hashes.is_empty() && id_of(key).is_some_and(|id| self.hold(id))
    }

    /// True when these bytes contain the id of an erased person or device as text.
    #[must_use]
    pub fn are_named_in(&self, bytes: &[u8]) -> bool {
        let mut texts = bytes.windows(TEXT_BYTES).filter(|text| {
            // The dashes rule out most positions before any parsing.
            DASHES.iter().all(|at| text[*at] == b'-')
        });
        !self.hashes.is_empty() && texts.any(|text| Uuid::try_parse_ascii(text).is_ok_and(|id| self.hold(id)))
    }
}

fn id_of(key: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(key).or_else(|_| Uuid::try_parse_ascii(key)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn e_1_exactly_the_erased_people_are_known_by_id_and_by_message_key(
            erased in prop::collection::hash_set(any::<u128>(), 0..8), other in any::<u128>()
        ) {
            let key = Key::random();
            let hashes = erased.iter().map(|id| key.hash(Uuid::from_u128(*id))).collect();
            let tombstones = Tombstones::new(key, hashes);
            for id in erased.iter().copied().chain([other]) {
                let id = Uuid::from_u128(id);
                let is_erased = erased.contains(&id.as_u128());
                prop_assert_eq!(tombstones.hold(id), is_erased);
                prop_assert_eq!(tombstones.hold_key(id.as_bytes()), is_erased);
                prop_assert_eq!(tombstones.hold_key(id.hyphenated().to_string().as_bytes()), is_erased);
            }
            prop_assert!(!tombstones.hold_key(b"no id"));
            for (id, before) in [other, 1].into_iter().zip(["", "8-4-4-4-12 "]) {
                let text = format!("{before}{} and more", Uuid::from_u128(id));
                prop_assert_eq!(tombstones.are_named_in(text.as_bytes()), erased.contains(&id));
            }
        }
    }

    #[test]
    fn p_17_days_of_a_device_are_erased_and_the_device_is_not() {
        let (key, device, other) = (Key::random(), Uuid::from_u128(7), Uuid::from_u128(8));
        let days = [i32::MIN..5, 9..12].map(|days| (key.hash(device), days));
        let tombstones = Tombstones::new(key.clone(), HashSet::new()).with_days(days);
        assert!(!tombstones.is_empty() && !tombstones.hold(device));
        assert_eq!(tombstones.days_of(device), [i32::MIN..5, 9..12]);
        assert_eq!(tombstones.days_of_key(device.to_string().as_bytes()).len(), 2);
        assert!(tombstones.days_of(other).is_empty() && tombstones.days_of_key(b"no id").is_empty());
        let hash = |device, days: Days| key.hash_of_days(device, &days);
        assert_ne!(hash(device, 1..2), hash(device, 1..3));
        assert_ne!(hash(device, 1..2), hash(other, 1..2));
    }

    #[test]
    fn e_1_a_hash_says_nothing_without_its_key() {
        let id = Uuid::from_u128(7);
        let (one, other) = (Key::random(), Key::random());
        assert_eq!(one.hash(id), one.hash(id));
        assert_ne!(one.hash(id), other.hash(id));
        assert_eq!(format!("{one:?}"), "Key(…)");
    }
}
