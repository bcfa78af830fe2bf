//! The cohort's deliveries in order of time.
//!
//! A heap holds pending deliveries as small descriptions. A day is planned at its first instant, and an event is
//! built when its delivery is taken. Memory is therefore bounded by the cohort and the longest delay (7 days), not
//! by the number of days.

mod breakage;
mod content;
mod delivery;
mod fate;
mod identity;
mod schedule;

use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use pulseline_schemas::UtcMillis;

use crate::cohort::Cohort;
use crate::cohort::day::{Day, opens_at};
use crate::cohort::zone::days_of;
use crate::config::{SimulateConfig, Start};
pub(crate) use breakage::without_impossible;
pub use delivery::{Breakage, DeliveryKind, Payload, Planned};
use fate::Fate;
use schedule::Subject;

/// All deliveries of a cohort in the order of `delivered_at`. The same configuration gives the same deliveries.
///
/// # Errors
/// When the configuration is invalid, or the machine's time-zone database lacks a zone.
pub fn plan(config: &SimulateConfig, now: UtcMillis) -> Result<Plan, String> {
    plan_of(config, now, None)
}

/// One person's devices on some days. A day's uploads are the same in every plan, and a row comes from the uploads
/// of one day only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The person.
    pub(crate) owner: usize,
    /// Days of the whole plan before the first day of this part.
    pub(crate) skipped: u32,
    /// Number of days, if the whole plan has that many more.
    pub(crate) days: u32,
}

/// [`plan`] of a part, without profiles.
pub(crate) fn plan_of(config: &SimulateConfig, now: UtcMillis, part: Option<Part>) -> Result<Plan, String> {
    config.validate()?;
    let cohort = Cohort::new(config)?;
    let (first_day, not_before) = match config.from {
        Start::Day(day) => (days_of(day), UtcMillis(i64::MIN)),
        // Dates differ between time zones. Starting yesterday, the plan includes every person's today
        // and last night.
        Start::Now => (
            i32::try_from(now.at_offset(0).days()).unwrap_or_default() - 1,
            now,
        ),
    };
    let (skipped, days) = part.map_or((0, config.days), |part| (part.skipped, part.days));
    let last_day = first_day.saturating_add_unsigned((skipped + days).min(config.days) - 1);
    let first_day = first_day.saturating_add_unsigned(skipped);
    let mut plan = Plan {
        config: config.clone(),
        last_day,
        not_before,
        days: HashMap::new(),
        due: BinaryHeap::new(),
        cohort,
    };
    plan.begin(first_day, part.map(|part| part.owner));
    Ok(plan)
}

/// See [`plan`].
#[derive(Debug)]
pub struct Plan {
    config: SimulateConfig,
    cohort: Cohort,
    last_day: i32,
    not_before: UtcMillis,
    /// For each device its current day, and the day of the last late upload.
    days: HashMap<(u32, bool), Arc<Day>>,
    due: BinaryHeap<Due>,
}

/// An action at its time. Ties are broken by device, date and number, so that the order is total.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    at: i64,
    device: u32,
    date: i32,
    number: u32,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    /// A device's date begins: its uploads become known.
    Opens,
    /// An upload is sent.
    Sends(Subject, Fate),
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // Reversed: the heap returns the greatest element first, but the earliest is wanted.
        let key = |due: &Self| (due.at, due.device, due.date, due.number);
        key(other).cmp(&key(self))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Plan {
    /// Devices in the cohort.
    #[must_use]
    pub fn devices(&self) -> usize {
        self.cohort.devices.len()
    }

    /// When the last window of the plan ends; late uploads of it may follow.
    #[must_use]
    pub fn ends_at(&self) -> UtcMillis {
        let ends = self
            .cohort
            .devices
            .iter()
            .map(|device| opens_at(&self.cohort, device, self.last_day + 1));
        ends.max().unwrap_or_default()
    }

    /// Deliveries that are known but not due yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.due.len()
    }

    fn begin(&mut self, first_day: i32, only_owner: Option<usize>) {
        let opens = self
            .cohort
            .devices
            .iter()
            .filter(|device| only_owner.is_none_or(|owner| device.owner == owner))
            .map(|device| (device.index, opens_at(&self.cohort, device, first_day).0));
        let opens: Vec<_> = opens.collect();
        for &(device, at) in &opens {
            self.due.push(Due {
                at,
                device,
                date: first_day,
                number: 0,
                what: What::Opens,
            });
        }
        if only_owner.is_some() {
            return;
        }
        // Profiles are sent first, at the earliest midnight.
        let start = opens
            .iter()
            .map(|(_, at)| *at)
            .min()
            .unwrap_or_default()
            .max(self.not_before.0);
        for fate in schedule::of_profiles(&self.cohort, &self.config, start) {
            let number = u32::try_from(self.due.len()).unwrap_or_default();
            let (subject, fate) = fate;
            self.due.push(Due {
                at: fate.delivered_at,
                device: 0,
                date: i32::MIN,
                number,
                what: What::Sends(subject, fate),
            });
        }
    }

    /// Adds a date's uploads to the heap, and the start of the next date.
    fn open(&mut self, device: u32, date: i32) {
        let day = self.make_day(device, date);
        self.days.insert((device, false), Arc::clone(&day));
        for (number, (subject, fate)) in schedule::of_day(&self.cohort, &self.config, &day)
            .into_iter()
            .enumerate()
        {
            if fate.delivered_at >= self.not_before.0 {
                let number = u32::try_from(number).unwrap_or_default() + 1;
                self.due.push(Due {
                    at: fate.delivered_at,
                    device,
                    date,
                    number,
                    what: What::Sends(subject, fate),
                });
            }
        }
        if date < self.last_day {
            let at = opens_at(&self.cohort, &day.device, date + 1).0;
            self.due.push(Due {
                at,
                device,
                date: date + 1,
                number: 0,
                what: What::Opens,
            });
        }
    }

    fn make_day(&self, device: u32, date: i32) -> Arc<Day> {
        let window_ms = i64::from(self.config.window_secs) * 1_000;
        Arc::new(Day::plan(
            &self.cohort,
            self.cohort.devices[device as usize],
            date,
            window_ms,
        ))
    }

    fn day(&mut self, device: u32, date: i32) -> Arc<Day> {
        let kept = [false, true]
            .into_iter()
            .filter_map(|late| self.days.get(&(device, late)))
            .find(|day| day.date == date);
        if let Some(day) = kept {
            return Arc::clone(day);
        }
        let day = self.make_day(device, date);
        self.days.insert((device, true), Arc::clone(&day));
        day
    }
}

impl Iterator for Plan {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        loop {
            let due = self.due.pop()?;
            let sent = match due.what {
                What::Opens => {
                    self.open(due.device, due.date);
                    continue;
                }
                What::Sends(Subject::Profile { person, version }, fate) => {
                    content::of_profile(&self.cohort, person, version, &fate)
                }
                What::Sends(subject, fate) => {
                    let day = self.day(due.device, due.date);
                    content::of_upload(&self.cohort, &day, subject, &fate)
                }
            };
            // A short window may hold no reading.
            if sent.is_some() {
                return sent;
            }
        }
    }
}
