//! Properties that hold for every seed.

use std::collections::HashMap;

use proptest::prelude::*;
use pulseline_generator::SimulateConfig;
use pulseline_schemas::{Event, encode};

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
    fn every_event_has_its_own_id_unless_it_is_the_same_event(seed in any::<u64>()) {
        let config = SimulateConfig { participants: 2, days: 1, seed, duplicate: 0.3, correct: 0.3, broken: 0.1, ..SimulateConfig::default() };
        let deliveries = planned(&config);
        let mut seen: HashMap<_, &Event> = HashMap::new();
        for event in events(&deliveries) {
            if let Some(same) = seen.insert(event.event_id(), event) {
                prop_assert_eq!(same, event);
            }
        }
    }
}
