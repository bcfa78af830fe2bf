//! What must hold of every plan.

use super::*;
use proptest::prelude::*;

const DAY_MS: i64 = 86_400_000;

fn dirty(id: i64, stream: &str, day: DayNumber) -> Dirty {
    Dirty {
        id,
        stream: stream.to_owned(),
        day,
    }
}

#[test]
fn a_late_day_of_a_closed_month_is_refreshed_at_every_level_parents_first() {
    // 2019-11-06, a Wednesday; now is 2020-04.
    let plan = plan(&[dirty(7, "heart_rates", 18_206)], &[], 18_353 * DAY_MS);
    let shown: Vec<_> = plan
        .refreshes
        .iter()
        .map(|r| (r.relation, r.days.clone()))
        .collect();
    assert_eq!(
        shown,
        [
            ("stage.heart_rates_15m", 18_206..18_207),
            ("agg.daily_heart_rates", 18_206..18_207),
            ("agg.weekly_heart_rates", 18_204..18_211),
            ("agg.monthly_heart_rates", 18_201..18_231),
        ]
    );
    assert_eq!(plan.done, [7]);
    assert!(plan.wait.is_empty());
}

#[test]
fn today_waits_and_is_refreshed_once_it_has_closed() {
    let now = 18_206 * DAY_MS + DAY_MS / 2;
    let first = plan(&[dirty(1, "steps", 18_206)], &[], now);
    assert!(first.refreshes.is_empty());
    assert_eq!(first.done, [1]);
    assert_eq!(first.wait.len(), 3);
    let second = plan(&[], &first.wait, now + DAY_MS);
    let relations: Vec<_> = second.refreshes.iter().map(|r| r.relation).collect();
    assert_eq!(relations, ["stage.steps_15m", "agg.daily_steps"]);
    assert_eq!(second.closed.len(), 1);
}

#[test]
fn sessions_and_profiles_have_nothing_to_refresh() {
    let plan = plan(
        &[dirty(1, "sleeps", 18_206), dirty(2, "users", 18_206)],
        &[],
        19_000 * DAY_MS,
    );
    assert!(plan.refreshes.is_empty() && plan.wait.is_empty());
    assert_eq!(plan.done, [1, 2]);
}

proptest! {
    #[test]
    fn a_1_every_dirty_day_is_refreshed_or_waits_at_every_level_and_nothing_open_is_touched(
        days in prop::collection::vec((0..2_usize, 18_100..18_400_i32), 0..60),
        now_day in 18_150..18_450_i64,
    ) {
        let now = now_day * DAY_MS;
        let streams = ["heart_rates", "steps"];
        let rows: Vec<_> = days.iter().enumerate().map(|(i, (s, d))| dirty(i64::try_from(i).unwrap(), streams[*s], *d)).collect();
        let plan = plan(&rows, &[], now);
        prop_assert_eq!(plan.done.len(), rows.len());
        for row in &rows {
            for (of, relation, level) in RELATIONS.iter().filter(|(of, ..)| *of == row.stream) {
                let period = level.period(row.day);
                let covered = plan.refreshes.iter().any(|r| r.relation == *relation && r.days.start <= period.start && period.end <= r.days.end);
                let waits = plan.wait.iter().any(|w| w.stream == *of && w.level == *level && w.starts_on == period.start);
                prop_assert!(covered != waits);
                prop_assert_eq!(waits, level.is_open(row.day, now));
            }
        }
        for refresh in &plan.refreshes {
            let (_, _, level) = RELATIONS.iter().find(|(_, relation, _)| *relation == refresh.relation).unwrap();
            prop_assert!(!level.is_open(refresh.days.end - 1, now));
            prop_assert_eq!(level.period(refresh.days.start).start, refresh.days.start);
            prop_assert_eq!(level.period(refresh.days.end - 1).end, refresh.days.end);
            // Exactly the dirty periods, nothing between.
            let inside: BTreeSet<_> = rows.iter().filter(|r| refresh.days.contains(&r.day) && refresh.relation.ends_with(&r.stream.clone()) || refresh.days.contains(&r.day) && refresh.relation.contains(&r.stream)).map(|r| level.period(r.day).start).collect();
            prop_assert_eq!(inside.len(), refresh.periods);
        }
    }
}
