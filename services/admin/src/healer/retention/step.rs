//! Decides how far the floor of documents may be raised. Pure.

use std::ops::Range;

use pulseline_sql::periods::DayNumber;

/// Most days between two floors, where anything is loaded: comparing and removing them takes a bounded time.
const STEP_DAYS: DayNumber = 28;

/// What is known before a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Days whose documents are kept, counted back from today.
    pub(super) retain_days: i32,
    /// Today in UTC.
    pub(super) today: DayNumber,
    /// The floor now; none while every document is kept.
    pub(super) floor: Option<DayNumber>,
    /// The oldest day at or after the floor on which anything is loaded.
    pub(super) oldest: Option<DayNumber>,
    /// Missing offsets that were not tried yet; those in no store hold nothing back.
    pub(super) untried: i64,
    /// A second warehouse is being built from the documents.
    pub(super) is_rebuilding: bool,
    /// Every collection of readings was read to its end, and is followed.
    pub(super) is_followed: bool,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The floor is where it should be.
    Nothing,
    /// The floor is to be raised, but not now.
    Wait(&'static str),
    /// Nothing is wrong: it is to be raised once these days are compared. Its end is the new floor.
    Compare(Range<DayNumber>),
}

/// The next step.
pub(super) fn next(facts: &Facts) -> Step {
    let Some(days) = due(facts) else {
        return Step::Nothing;
    };
    if facts.is_rebuilding {
        return Step::Wait("a rebuild is under way");
    }
    if !facts.is_followed {
        return Step::Wait("the loader has not read every collection to its end");
    }
    if facts.untried > 0 {
        return Step::Wait("some offsets are missing");
    }
    Step::Compare(days)
}

/// The days between the floor and the next one.
fn due(facts: &Facts) -> Option<Range<DayNumber>> {
    let target = facts.today.saturating_sub(facts.retain_days);
    let start = facts.floor.or(facts.oldest)?;
    let next = facts
        .oldest
        .map(|oldest| oldest.max(start).saturating_add(STEP_DAYS));
    let end = next.map_or(target, |next| next.min(target));
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FACTS: Facts = Facts {
        retain_days: 62,
        today: 1_062,
        floor: None,
        oldest: Some(900),
        untried: 0,
        is_rebuilding: false,
        is_followed: true,
    };

    #[test]
    fn p_12_the_floor_of_documents_rises_a_few_weeks_at_a_time() {
        let days = |floor, oldest| {
            next(&Facts {
                floor,
                oldest,
                ..FACTS
            })
        };
        assert_eq!(days(None, Some(900)), Step::Compare(900..928));
        assert_eq!(days(Some(928), Some(928)), Step::Compare(928..956));
        assert_eq!(days(Some(990), Some(995)), Step::Compare(990..1_000));
        // Days without readings are passed at once.
        assert_eq!(days(Some(300), Some(900)), Step::Compare(300..928));
        assert_eq!(days(Some(928), Some(1_050)), Step::Compare(928..1_000));
        assert_eq!(days(Some(928), None), Step::Compare(928..1_000));
        assert_eq!(days(Some(1_000), Some(1_001)), Step::Nothing);
        assert_eq!(days(None, Some(1_000)), Step::Nothing);
        assert_eq!(days(None, None), Step::Nothing);
        // More is kept than before: the floor stays.
        assert_eq!(days(Some(1_010), Some(1_010)), Step::Nothing);
    }

    #[test]
    fn p_12_nothing_is_removed_while_documents_are_needed() {
        for facts in [
            Facts {
                is_rebuilding: true,
                ..FACTS
            },
            Facts {
                is_followed: false,
                ..FACTS
            },
            Facts { untried: 1, ..FACTS },
        ] {
            assert!(matches!(next(&facts), Step::Wait(_)), "{facts:?}");
            let done = Facts {
                floor: Some(1_000),
                ..facts
            };
            assert_eq!(next(&done), Step::Nothing, "nothing is due");
        }
    }

    proptest! {
        /// Whatever is loaded when: the floor only rises, in bounded steps, to its target and not beyond it.
        #[test]
        fn p_12_steps_lead_to_the_target(mut loaded in prop::collection::vec(0..1_100_i32, 1..20)) {
            loaded.sort_unstable();
            let (mut floor, mut steps) = (None, 0);
            loop {
                let oldest = loaded.iter().copied().find(|day| floor.is_none_or(|floor| *day >= floor));
                let Step::Compare(days) = next(&Facts { floor, oldest, ..FACTS }) else { break };
                prop_assert!(days.end <= 1_000 && floor.is_none_or(|floor| days.start == floor && days.end > floor));
                let with_data = loaded.iter().filter(|day| days.contains(day));
                let (first, last) = (with_data.clone().min(), with_data.max());
                prop_assert!(last.zip(first).is_none_or(|(last, first)| last - first < STEP_DAYS));
                floor = Some(days.end);
                steps += 1;
                prop_assert!(steps <= 1_000 / STEP_DAYS + 2);
            }
            prop_assert_eq!(floor.is_some(), loaded[0] < 1_000);
            prop_assert!(floor.is_none_or(|floor| floor == 1_000));
        }
    }
}
