//! What holds for every seed.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use pulseline_generator::{Dead, DeliveryKind, Oracle, SimulateConfig};
use pulseline_schemas::{Event, Stream, encode};

use crate::{events, planned};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_same_configuration_gives_the_same_bytes(seed in any::<u64>(), participants in 1_u32..5, shares in any::<[u8; 4]>(), secs in prop::sample::select(vec![60, 300, 900])) {
        let share = |index: usize| f64::from(shares[index]) / 512.0;
        let config = SimulateConfig {
            participants, seed, days: 1, window_secs: secs,
            late: share(0), duplicate: share(1), correct: share(2), broken: share(3),
            ..SimulateConfig::default()
        };
        let (first, second) = (planned(&config), planned(&config));
        prop_assert_eq!(&first, &second);
        for (a, b) in events(&first).zip(events(&second)) {
            prop_assert_eq!(encode(a).unwrap(), encode(b).unwrap());
        }
        let other = planned(&SimulateConfig { seed: seed ^ 1, ..config });
        prop_assert_ne!(&first, &other);
    }

    #[test]
    fn the_oracle_does_not_care_in_what_order_things_arrive(seed in any::<u64>()) {
        let config = SimulateConfig { participants: 2, days: 1, seed, late: 0.2, duplicate: 0.3, correct: 0.5, broken: 0.05, ..SimulateConfig::default() };
        let mut deliveries = planned(&config);
        let forward = Oracle::of(deliveries.clone());
        deliveries.reverse();
        let backward = Oracle::of(deliveries.clone());
        deliveries.sort_by_key(|planned| (planned.key, planned.kind, planned.delivered_at.0 % 1_000));
        let shuffled = Oracle::of(deliveries);
        for other in [backward, shuffled] {
            prop_assert_eq!(&forward.heart_rates, &other.heart_rates);
            prop_assert_eq!(&forward.steps, &other.steps);
            prop_assert_eq!(&forward.sleeps, &other.sleeps);
            prop_assert_eq!(&forward.users, &other.users);
            prop_assert_eq!(&forward.duplicates, &other.duplicates);
        }
    }

    #[test]
    fn every_event_has_its_own_id_unless_it_is_the_same_event(seed in any::<u64>()) {
        let config = SimulateConfig { participants: 2, days: 1, seed, duplicate: 0.3, correct: 0.3, broken: 0.1, ..SimulateConfig::default() };
        let deliveries = planned(&config);
        let mut seen: HashMap<_, &Event> = HashMap::new();
        for event in events(&deliveries) {
            if let Some(same) = seen.insert(event.event_id(), event) {
                prop_assert_eq!(same, event);
            }
        }
        let oracle = Oracle::of(deliveries.clone());
        let repeated = deliveries.iter().filter(|planned| planned.kind == DeliveryKind::Duplicate).count() as u64;
        prop_assert_eq!(oracle.duplicates.values().sum::<u64>(), repeated);
        for stream in Stream::ALL {
            let documents = oracle.events.get(&stream).map_or(0, HashSet::len) as u64;
            let whole = oracle.dead.iter().filter(|(of, dead)| *of == stream && matches!(dead, Dead::Unmappable { item: -1, .. })).count() as u64;
            prop_assert_eq!(oracle.loaded_messages(stream), documents - whole);
        }
    }
}
