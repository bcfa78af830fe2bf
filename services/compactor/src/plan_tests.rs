//! Properties of every plan.

use super::*;
use crate::patch::changed;
use proptest::prelude::*;

const DAY_MS: i64 = 86_400_000;
const WIDE: Bounds = Bounds {
    floor: None,
    days: 1_000,
    device_days: 10_000,
};

fn most_days(refresh: &Refresh) -> usize {
    let mut streams = Stream::readings().map(|(_, readings)| readings);
    match streams.find(|readings| readings.quarters == refresh.relation) {
        Some(readings) => quarters_days_max(readings),
        None => DAYS_MAX,
    }
}

#[test]
fn a_call_computes_buckets_from_a_week_of_heart_rates_or_four_of_minutes() {
    let days: Vec<_> = Stream::readings()
        .map(|(_, readings)| quarters_days_max(readings))
        .collect();
    assert_eq!(days, [7, 28, 28, 28]);
}

fn dirty(id: i64, stream: &str, day: DayNumber) -> Dirty {
    Dirty {
        id,
        stream: stream.to_owned(),
        device: Some(Uuid::from_u128(1)),
        day,
        is_forced: false,
    }
}

#[test]
fn a_late_day_of_a_closed_month_is_refreshed_alone_parents_first() {
    // 2019-11-06; now is 2020-04.
    let plan = plan(
        &[dirty(7, "heart_rates", 18_206)],
        &[],
        18_353 * DAY_MS,
        WIDE,
        &Changed::new(),
    );
    let shown: Vec<_> = plan
        .refreshes
        .iter()
        .map(|r| (r.relation, r.days.clone()))
        .collect();
    assert_eq!(
        shown,
        [
            ("stage.heart_rates_15m", 18_206..18_207),
            ("agg.heart_rates_1d", 18_206..18_207)
        ]
    );
    assert_eq!(plan.slept, [(Uuid::from_u128(1), 18_206)]);
    assert_eq!(plan.done, [7]);
    assert!(plan.wait.is_empty() && !plan.more);
}

#[test]
fn a_wrong_figure_is_patched_beside_the_refresh_of_its_day() {
    let wrong = Dirty {
        is_forced: true,
        ..dirty(7, "steps", 18_206)
    };
    let rows = [wrong, dirty(8, "steps", 18_206), dirty(9, "steps", 18_207)];
    let plan = plan(&rows, &[], 18_353 * DAY_MS, WIDE, &Changed::new());
    assert_eq!(plan.patches.len(), 1);
    assert_eq!(plan.patches[0].days, 18_206..18_207);
    assert!(
        plan.refreshes
            .iter()
            .all(|refresh| refresh.days == (18_206..18_208))
    );
    assert_eq!((plan.refreshes.len(), plan.done), (2, vec![7, 8, 9]));
}

#[test]
fn p_5_today_waits_and_is_refreshed_once_it_has_closed() {
    let now = 18_206 * DAY_MS + DAY_MS / 2;
    let first = plan(&[dirty(1, "steps", 18_206)], &[], now, WIDE, &Changed::new());
    assert!(first.refreshes.is_empty());
    assert_eq!(first.done, [1]);
    assert_eq!(first.wait.len(), 1);
    let second = plan(&[], &first.wait, now + DAY_MS, WIDE, &Changed::new());
    let relations: Vec<_> = second.refreshes.iter().map(|r| r.relation).collect();
    assert_eq!(relations, ["stage.steps_15m", "agg.steps_1d"]);
    assert_eq!(second.closed.len(), 1);
}

#[test]
fn sleeps_of_today_are_looked_at_today_and_profiles_need_nothing() {
    let now = 18_206 * DAY_MS + DAY_MS / 2;
    let rows = [
        dirty(1, "sleeps", 18_206),
        dirty(2, "users", 18_206),
        dirty(3, "heart_rates", 18_206),
    ];
    let plan = plan(&rows, &[], now, WIDE, &Changed::new());
    assert!(plan.refreshes.is_empty());
    assert_eq!(plan.slept, [(Uuid::from_u128(1), 18_206)]);
    assert_eq!(plan.done, [1, 2, 3]);
}

#[test]
fn p_12_no_refresh_reaches_below_the_floor() {
    let now = 18_353 * DAY_MS;
    let bounds = Bounds {
        floor: Some(18_200),
        ..WIDE
    };
    let below = |day| Waiting {
        stream: "steps".to_owned(),
        day,
    };
    let rows = [dirty(1, "steps", 18_199), dirty(2, "steps", 18_200)];
    let plan = plan(
        &rows,
        &[below(18_198), below(18_200)],
        now,
        bounds,
        &Changed::new(),
    );
    assert!(
        plan.refreshes
            .iter()
            .all(|refresh| refresh.days == (18_200..18_201))
    );
    assert_eq!(plan.refreshes.len(), 2);
    // No possible work is left.
    assert_eq!((plan.done, plan.closed.len(), plan.more), (vec![1, 2], 2, false));
}

#[test]
fn a_year_of_backlog_is_taken_up_from_its_newest_end() {
    let rows: Vec<_> = (0..365)
        .map(|day| dirty(i64::from(day), "calories", 18_000 + day))
        .collect();
    let bounds = Bounds { days: 64, ..WIDE };
    let plan = plan(&rows, &[], 19_000 * DAY_MS, bounds, &Changed::new());
    assert!(plan.more);
    assert_eq!(plan.done.iter().min(), Some(&(365 - 64)));
    assert_eq!(plan.refreshes[0].days.end, 18_365);
    assert!(
        plan.refreshes
            .iter()
            .all(|refresh| refresh.days.len() <= most_days(refresh))
    );
}

#[test]
fn sleeps_are_checked_on_refreshed_days_and_the_remaining_days_are_known() {
    let now = 19_000 * DAY_MS;
    let bounds = Bounds { days: 2, ..WIDE };
    let rows: Vec<_> = (0..4)
        .map(|day| dirty(i64::from(day), "heart_rates", 18_200 + day))
        .collect();
    let device = Uuid::from_u128(1);
    let plan = plan(&rows, &[], now, bounds, &Changed::new());
    assert_eq!(plan.slept, [(device, 18_203), (device, 18_202)]);
    assert_eq!(plan.pending, [(device, 18_200), (device, 18_201)].into());
    assert_eq!((plan.done, plan.more), (vec![2, 3], true));
}

#[test]
fn newest_windows_go_first_and_a_wide_one_follows_all_that_it_stands_on() {
    let rows: Vec<_> = (0..40)
        .map(|day| dirty(i64::from(day), "heart_rates", 18_200 + day))
        .collect();
    let plan = plan(&rows, &[], 19_000 * DAY_MS, WIDE, &Changed::new());
    let shown: Vec<_> = plan
        .refreshes
        .iter()
        .map(|refresh| (refresh.relation.starts_with("agg"), refresh.days.clone()))
        .collect();
    let from = |day: DayNumber, days| 18_200 + day..18_200 + day + days;
    assert_eq!(
        shown,
        [
            (false, from(35, 5)),
            (false, from(28, 7)),
            (true, from(28, 12)),
            (false, from(21, 7)),
            (false, from(14, 7)),
            (false, from(7, 7)),
            (false, from(0, 7)),
            (true, from(0, 28)),
        ]
    );
}

#[test]
fn p_5_days_that_have_closed_go_before_a_backlog() {
    let now = 19_000 * DAY_MS;
    let bounds = Bounds { days: 2, ..WIDE };
    let rows: Vec<_> = (0..9)
        .map(|day| dirty(i64::from(day), "steps", 18_200 + day))
        .collect();
    let old = Waiting {
        stream: "steps".to_owned(),
        day: 18_100,
    };
    let plan = plan(&rows, std::slice::from_ref(&old), now, bounds, &Changed::new());
    assert_eq!(plan.closed, [old]);
    assert_eq!((plan.done, plan.more), (vec![8], true));
}

proptest! {
    #[test]
    fn p_6_a_row_is_done_when_its_day_is_refreshed_or_waits_and_its_sleeps_are_checked(
        days in prop::collection::vec((0..3_usize, 18_100..18_160_i32), 0..80),
        now_day in 18_090..18_170_i64,
        bounds in (1..40_usize, 1..40_usize),
        is_few in prop::collection::vec(any::<bool>(), 60),
    ) {
        let now = now_day * DAY_MS;
        let bounds = Bounds { floor: None, days: bounds.0, device_days: bounds.1 };
        let streams = ["heart_rates", "steps", "sleeps"];
        let rows: Vec<_> = days.iter().enumerate().map(|(i, (s, d))| dirty(i64::try_from(i).unwrap(), streams[*s], *d)).collect();
        let few = changed(&rows, &[], now).into_iter();
        let few: Changed = few.filter(|((_, day), _)| is_few[usize::try_from(day - 18_100).unwrap()]).collect();
        let plan = plan(&rows, &[], now, bounds, &few);
        let mut left = false;
        for row in &rows {
            let is_open = Level::Day.is_open(row.day, now);
            let has_aggregates = row.stream != "sleeps";
            let readings = Stream::readings().find(|(stream, _)| stream.name() == row.stream);
            let relations = readings.into_iter().flat_map(|(_, readings)| [readings.quarters, readings.days]);
            let places: Vec<_> = relations.map(|relation| {
                plan.refreshes.iter().position(|r| r.relation == relation && r.days.contains(&row.day))
            }).collect();
            let is_patched = plan.patches.iter().any(|patch| {
                patch.stream == row.stream && patch.days.contains(&row.day) && patch.devices.iter().eq(&row.device)
            });
            // Never both: a refresh after a patch would compute the day for everybody all the same.
            prop_assert!(!(is_patched && places.iter().any(Option::is_some)));
            let covered = has_aggregates && (is_patched || places.iter().all(Option::is_some));
            // Parents first, whatever the width of their windows.
            prop_assert!(places.is_sorted());
            let waits = plan.wait.iter().any(|w| w.stream == row.stream && w.day == row.day);
            let slept = row.stream == "steps" || plan.slept.contains(&(Uuid::from_u128(1), row.day));
            let done = plan.done.contains(&row.id);
            prop_assert_eq!(done, slept && (!has_aggregates || is_open || covered));
            prop_assert!(!(covered && is_open) && (!waits || is_open));
            prop_assert!(!done || !has_aggregates || covered != waits);
            left |= !done;
            let pending = row.stream == "heart_rates" && plan.pending.contains(&(Uuid::from_u128(1), row.day));
            prop_assert_eq!(pending, row.stream == "heart_rates" && !done);
        }
        prop_assert_eq!(plan.more, left);
        for patch in &plan.patches {
            prop_assert!(patch.days.clone().all(|day| few.contains_key(&(patch.stream, day))));
        }
        for refresh in &plan.refreshes {
            prop_assert!(!Level::Day.is_open(refresh.days.end - 1, now) && refresh.days.len() <= most_days(refresh));
            // Exactly the dirty days, no others.
            prop_assert!(refresh.days.clone().all(|day| rows.iter().any(|row| row.stream == refresh.stream && row.day == day)));
        }
    }
}
