//! The scope of `verify`: what it compares, and in what order.

use std::collections::BTreeSet;
use std::ops::Range;

use pulseline_sql::periods::{DayNumber, date_of};

use crate::documents::{self, Comparison};
use crate::error::AuditError;
use crate::layers::{self, Check};

const DAY_MS: i64 = 86_400_000;

/// The local days to compare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Days {
    /// All days.
    #[default]
    All,
    /// This many days up to the newest one with data that is not after tomorrow: a clock that ran ahead must not hide the
    /// present.
    Newest {
        /// How many.
        count: DayNumber,
        /// The present, in UTC milliseconds.
        now_utc_millis: i64,
    },
    /// These.
    Between(Range<DayNumber>),
}

impl Days {
    /// These days of those that have anything; none when none of them has.
    pub(crate) fn of(&self, extent: &Range<DayNumber>) -> Option<Range<DayNumber>> {
        let days = match self {
            Self::All => extent.clone(),
            Self::Newest {
                count,
                now_utc_millis,
            } => {
                let end = extent.end.min(after_tomorrow(*now_utc_millis));
                extent.start.max(end.saturating_sub(*count))..end
            }
            Self::Between(days) => days.start.max(extent.start)..days.end.min(extent.end),
        };
        (!days.is_empty()).then_some(days)
    }
}

/// The first day that is after tomorrow in UTC: wall clocks are at most 14 hours ahead of it, so none shows it today.
fn after_tomorrow(now_utc_millis: i64) -> DayNumber {
    let today = now_utc_millis.div_euclid(DAY_MS);
    DayNumber::try_from(today).unwrap_or(DayNumber::MAX - 2) + 2
}

/// What is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Of relations that have days.
    pub days: Days,
    /// Only these; all when empty.
    pub relations: BTreeSet<String>,
    /// Relations before this one are left out: they were compared by a `verify` that was stopped.
    pub start_at: Option<String>,
}

impl Scope {
    /// The tables of raw, dead letters, and what the compactor stores: everything that a fault of a service can damage. The
    /// other relations are views over these.
    #[must_use]
    pub fn of_stored() -> Self {
        let stored = layers::stored().into_iter().map(|check| check.relation);
        let raw = documents::comparisons().map(|comparison| comparison.relation().to_owned());
        let of_raw = layers::checked_relations().into_iter();
        let of_raw = of_raw.filter(|relation| relation.starts_with("raw."));
        Self {
            relations: raw.chain(of_raw).chain(stored).collect(),
            ..Self::default()
        }
    }
}

/// One comparison.
pub(crate) enum Step {
    /// A relation of stage or agg with what it stands on.
    Layer(Check),
    /// A table of raw, or dead letters, with the documents.
    Documents(Comparison),
}

impl Step {
    /// True when readings are compared with documents that are removed for their age.
    pub(crate) fn needs_documents(&self) -> bool {
        matches!(self, Self::Documents(Comparison::Readings(_)))
    }

    pub(crate) fn relation(&self) -> String {
        match self {
            Self::Layer(check) => check.relation.clone(),
            Self::Documents(comparison) => comparison.relation().to_owned(),
        }
    }
}

/// The comparisons of a scope: raw first, then what stands on it.
pub(crate) fn steps(scope: &Scope) -> Result<Vec<Step>, AuditError> {
    let mut steps: Vec<Step> = documents::comparisons().map(Step::Documents).collect();
    steps.extend(layers::checks().into_iter().map(Step::Layer));
    let known: BTreeSet<_> = steps.iter().map(Step::relation).collect();
    let named = scope.relations.iter().chain(&scope.start_at);
    if let Some(unknown) = named.into_iter().find(|name| !known.contains(*name)) {
        return Err(AuditError::UnknownRelation {
            name: unknown.clone(),
            known: known.into_iter().collect::<Vec<_>>().join(" "),
        });
    }
    if let Some(first) = &scope.start_at {
        let before = steps.iter().take_while(|step| step.relation() != *first).count();
        steps.drain(..before);
    }
    if !scope.relations.is_empty() {
        steps.retain(|step| scope.relations.contains(&step.relation()));
    }
    Ok(steps)
}

/// Days as people write them, the last one included.
pub(crate) fn said(days: &Range<DayNumber>) -> String {
    format!("{} to {}", date_of(days.start), date_of(days.end - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_that_have_anything() {
        assert_eq!(Days::All.of(&(10..20)), Some(10..20));
        let newest = |count, today: i64| Days::Newest {
            count,
            now_utc_millis: today * DAY_MS + DAY_MS - 1,
        };
        assert_eq!(newest(3, 500).of(&(10..20)), Some(17..20));
        assert_eq!(newest(300, 500).of(&(10..20)), Some(10..20));
        assert_eq!(Days::Between(5..12).of(&(10..20)), Some(10..12));
        assert_eq!(Days::Between(5..10).of(&(10..20)), None);
        // Tomorrow is today in another time zone; a later day means a clock that is ahead.
        assert_eq!(newest(3, 18).of(&(10..20)), Some(17..20));
        assert_eq!(newest(3, 17).of(&(10..47_000)), Some(16..19));
        assert_eq!(newest(3, 5).of(&(10..20)), None);
        assert_eq!(said(&(18_206..18_208)), "2019-11-06 to 2019-11-07");
    }

    #[test]
    fn a_stopped_verify_goes_on_where_it_was() {
        let all = steps(&Scope::default()).unwrap();
        let middle = all[all.len() / 2].relation();
        let scope = Scope {
            start_at: Some(middle.clone()),
            ..Scope::default()
        };
        let rest = steps(&scope).unwrap();
        assert_eq!(rest[0].relation(), middle);
        assert!(rest.len() < all.len() && rest.len() >= all.len() / 2);
    }

    #[test]
    fn a_relation_can_be_asked_for_by_its_name() {
        let scope = |name: &str| Scope {
            relations: BTreeSet::from([name.to_owned()]),
            ..Scope::default()
        };
        assert_eq!(steps(&scope("agg.daily_steps")).unwrap().len(), 1);
        let unknown = steps(&scope("agg.daily_stepz")).err().unwrap().to_string();
        assert!(
            unknown.contains("agg.daily_stepz") && unknown.contains("agg.daily_steps "),
            "{unknown}"
        );
    }
}
