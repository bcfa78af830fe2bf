//! Simulated measurements resemble those of real devices.

use pulseline_generator::SimulateConfig;
use pulseline_schemas::Event;
use pulseline_schemas::time::DAY_MS;

use crate::{events, planned, small};

#[test]
fn confidence_is_mixed_as_measured() {
    let deliveries = planned(&SimulateConfig {
        correct: 0.0,
        ..small()
    });
    let mut counts = [0.0; 4];
    for event in events(&deliveries) {
        if let Event::HeartRates(event) = event {
            event
                .samples
                .iter()
                .filter_map(|sample| sample.confidence)
                .for_each(|confidence| counts[usize::try_from(confidence).unwrap()] += 1.0);
        }
    }
    let all: f64 = counts.iter().sum();
    for (count, share) in counts.iter().zip([0.006, 0.316, 0.388, 0.291]) {
        assert!((count / all - share).abs() < 0.01, "{counts:?}");
    }
}

#[test]
fn heart_rates_are_smooth_and_lower_at_night() {
    let deliveries = planned(&SimulateConfig {
        participants: 1,
        correct: 0.0,
        broken: 0.0,
        ..SimulateConfig::default()
    });
    let (mut night, mut day) = (Vec::new(), Vec::new());
    for event in events(&deliveries) {
        let Event::HeartRates(event) = event else { continue };
        for pair in event.samples.windows(2).filter(|pair| {
            pair[1].ts.0 - pair[0].ts.0 <= 10_000 && pair.iter().all(|s| s.confidence > Some(0))
        }) {
            assert!((pair[0].bpm - pair[1].bpm).abs() <= 25, "{pair:?}");
        }
        for sample in &event.samples {
            match sample.ts.0.rem_euclid(DAY_MS) / 3_600_000 {
                2..=4 => night.push(f64::from(sample.bpm)),
                14..=17 => day.push(f64::from(sample.bpm)),
                _ => {}
            }
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!(
        mean(&night) + 10.0 < mean(&day),
        "night {} day {}",
        mean(&night),
        mean(&day)
    );
}
