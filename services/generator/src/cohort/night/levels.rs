//! The levels of a sleep.

use crate::random::Draw;

/// Fitbit's grid for the times of a sleep.
pub(super) const GRID_SECS: i64 = 30;

/// Cycles of about 90 minutes: deep sleep early, REM late.
pub(super) fn stages(draw: &mut Draw, seconds: i64) -> Vec<(&'static str, i64)> {
    let mut levels = Vec::new();
    let mut left = seconds;
    let mut cycle = 0;
    push(&mut levels, &mut left, "wake", draw.between(8, 28));
    while left > 0 {
        push(&mut levels, &mut left, "light", draw.between(40, 80));
        push(
            &mut levels,
            &mut left,
            "deep",
            draw.between(30, 70) / (1 + cycle / 2),
        );
        push(&mut levels, &mut left, "light", draw.between(20, 50));
        push(
            &mut levels,
            &mut left,
            "rem",
            draw.between(14, 30) + 8 * cycle.min(4),
        );
        if draw.chance(0.6) {
            push(&mut levels, &mut left, "wake", draw.between(2, 12));
        }
        cycle += 1;
    }
    levels
}

pub(super) fn classic_levels(draw: &mut Draw, seconds: i64) -> Vec<(&'static str, i64)> {
    let mut levels = Vec::new();
    let mut left = seconds;
    push(&mut levels, &mut left, "awake", draw.between(2, 10));
    while left > 0 {
        push(&mut levels, &mut left, "asleep", draw.between(30, 150));
        push(
            &mut levels,
            &mut left,
            if draw.chance(0.8) { "restless" } else { "awake" },
            draw.between(2, 8),
        );
    }
    levels
}

/// Adds a level of this many half minutes, as far as time is left.
fn push(levels: &mut Vec<(&'static str, i64)>, left: &mut i64, level: &'static str, half_minutes: i64) {
    let length = (half_minutes.max(1) * GRID_SECS).min(*left);
    if length > 0 {
        levels.push((level, length));
        *left -= length;
    }
}

/// Wakes of up to 3 minutes inside long levels.
pub(super) fn short_wakes(draw: &mut Draw, levels: &[(&'static str, i64)]) -> Vec<(i64, i64)> {
    let mut shorts = Vec::new();
    let mut at = 0;
    for &(level, length) in levels {
        if level != "wake" && length >= 600 && draw.chance(0.5) {
            shorts.push((
                at + draw.between(2, 10) * GRID_SECS,
                draw.between(1, 6) * GRID_SECS,
            ));
        }
        at += length;
    }
    shorts
}
