//! Decides each upload's fate: on time, late, duplicate, corrected, or accompanied by a broken one.

use pulseline_schemas::UtcMillis;
use pulseline_schemas::time::{DAY_MS, MINUTE_MS};

use super::{Breakage, DeliveryKind};
use crate::config::SimulateConfig;
use crate::random::Draw;

pub(super) const SECOND_MS: i64 = 1_000;
/// Devices keep readings this long before they upload.
const LATE_MAX_MS: i64 = 7 * DAY_MS;
/// A later upload counts as late.
const LATE_MIN_MS: i64 = 60 * MINUTE_MS;
/// Corrections that arrive before their original: the order of arrival differs from the order of sending.
const ORIGINAL_OVERTAKEN: f64 = 0.2;
/// Corrections sent in the same millisecond as their original: the greater id wins.
const SAME_INSTANT: f64 = 0.05;

/// How and when an upload is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) synced_at: i64,
    pub(super) delivered_at: i64,
    pub(super) kind: DeliveryKind,
    /// True when the values are the corrected ones (a duplicate may repeat either).
    pub(super) corrected: bool,
}

/// The deliveries of one upload that is first sent at `on_time` if it is not delayed.
pub(super) fn fates(config: &SimulateConfig, draw: &mut Draw, on_time: i64) -> Vec<Fate> {
    // Every chance is drawn, even if unused, so that a changed share affects only the uploads of its kind.
    let (late, twice, corrected, broken) = (
        draw.chance(config.late),
        draw.chance(config.duplicate),
        draw.chance(config.correct),
        draw.chance(config.broken),
    );
    let delay = draw.between(LATE_MIN_MS / SECOND_MS, LATE_MAX_MS / SECOND_MS) * SECOND_MS;
    let (kind, at) = if late {
        (DeliveryKind::Late, on_time + delay)
    } else {
        (DeliveryKind::OnTime, on_time)
    };
    let mut original = Fate {
        synced_at: at,
        delivered_at: at,
        kind,
        corrected: false,
    };
    let mut others = Vec::new();
    if corrected {
        let later = if draw.chance(SAME_INSTANT) {
            0
        } else {
            draw.between(10 * 60, 2 * 86_400) * SECOND_MS
        };
        let correction = Fate {
            synced_at: at + later,
            delivered_at: at + later,
            kind: DeliveryKind::Correction,
            corrected: true,
        };
        if draw.chance(ORIGINAL_OVERTAKEN) {
            original.delivered_at = correction.delivered_at + draw.between(1, 600) * SECOND_MS;
        }
        others.push(correction);
    }
    if twice {
        let of = if corrected && draw.chance(0.5) {
            others[0]
        } else {
            original
        };
        others.push(repeated(&of, draw));
    }
    if broken {
        let breakage = match draw.below(4) {
            0 => Breakage::Garbage,
            1 => Breakage::Truncated,
            2 => Breakage::UnknownSchema,
            _ => Breakage::Unmappable,
        };
        let at = at + draw.between(1, 60) * SECOND_MS;
        others.push(Fate {
            synced_at: at,
            delivered_at: at,
            kind: DeliveryKind::Broken(breakage),
            corrected: false,
        });
    }
    others.insert(0, original);
    others
}

/// The same event again, a second to two hours later.
pub(super) fn repeated(fate: &Fate, draw: &mut Draw) -> Fate {
    Fate {
        delivered_at: fate.delivered_at + draw.between(1, 7_200) * SECOND_MS,
        kind: DeliveryKind::Duplicate,
        ..*fate
    }
}

impl Fate {
    /// Sent and delivered at this instant, on time.
    pub(super) const fn plain(kind: DeliveryKind, at: i64) -> Self {
        Self {
            synced_at: at,
            delivered_at: at,
            kind,
            corrected: false,
        }
    }

    pub(super) const fn sent(&self) -> (UtcMillis, UtcMillis) {
        (UtcMillis(self.delivered_at), UtcMillis(self.synced_at))
    }
}
