//! Properties that hold for every seed.

use std::collections::HashMap;

use proptest::prelude::*;
use pulseline_generator::{Quirks, SimulateConfig};
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
    fn a_sparse_cohort_sends_a_part_of_the_same_heart_rates(seed in any::<u64>(), secs in prop::sample::select(vec![10, 30, 60, 900])) {
        let config = SimulateConfig { participants: 2, days: 1, seed, quirks: Quirks::NONE, duplicate: 0.0, correct: 0.0, broken: 0.0, ..SimulateConfig::default() };
        let rates = |config: &SimulateConfig| {
            let planned = planned(config);
            let rates = events(&planned).filter_map(|event| match event {
                Event::HeartRates(upload) => Some(upload.samples.iter().map(|sample| (upload.upload.device_id, sample.clone()))),
                _ => None,
            });
            rates.flatten().collect::<Vec<_>>()
        };
        let all = rates(&config);
        let part = rates(&SimulateConfig { heart_rate_secs: secs, ..config });
        prop_assert!(part.iter().all(|rate| all.contains(rate)));
        prop_assert!(part.iter().all(|(_, sample)| sample.ts.0.div_euclid(5_000) % i64::from(secs / 5) == 0));
        // A fifth of the readings is missing at most.
        let most = all.len() as u64 * 5 / u64::from(secs);
        prop_assert!((most * 8 / 10..=most * 12 / 10).contains(&(part.len() as u64)), "{} of {}", part.len(), all.len());
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
