//! The headline: one sentence that says whether anything is wrong. Pure.

use std::fmt::Write as _;

use pulseline_auditor::{Ledger, View};
use serde::Serialize;

/// How many partitions the sentence names.
const NAMED: usize = 3;

/// The overall state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Nothing is missing and nothing is in flight.
    Good,
    /// Messages are in flight.
    Moving,
    /// Offsets are missing, or the ops tables contradict Kafka.
    Bad,
    /// A server is unreachable.
    Away,
}

/// The sentence, and the details below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Headline {
    pub(crate) state: State,
    pub(crate) text: String,
    pub(crate) detail: String,
}

/// A loss takes precedence over an unreachable server: this very poll has seen it.
pub(crate) fn headline(view: &View) -> Headline {
    let (state, text) = sentence(view);
    Headline {
        state,
        text,
        detail: detail(view),
    }
}

fn sentence(view: &View) -> (State, String) {
    let lost = view.lost();
    if lost > 0 {
        return (State::Bad, missing(lost, &view.ledgers));
    }
    if !view.contradictions.is_empty() {
        return (
            State::Bad,
            "Kafka's end offset is below an accounted offset".into(),
        );
    }
    if !view.status.unreachable.is_empty() {
        return (State::Away, away(&view.status.unreachable));
    }
    match (view.in_flight(), view.status.produced()) {
        (_, 0) => (State::Good, "Nothing has been produced yet".into()),
        (0, _) => (State::Good, "Everything is accounted for".into()),
        (1, _) => (State::Moving, "1 message is in flight".into()),
        (many, _) => (
            State::Moving,
            format!("{} messages are in flight", thousands(many)),
        ),
    }
}

fn missing(lost: i64, ledgers: &[Ledger]) -> String {
    let torn: Vec<_> = ledgers.iter().filter(|ledger| !ledger.lost.is_empty()).collect();
    let names: Vec<_> = torn
        .iter()
        .take(NAMED)
        .map(|ledger| format!("{}/{}", ledger.topic, ledger.partition))
        .collect();
    let verb = if lost == 1 { "offset is" } else { "offsets are" };
    let mut text = format!("{} {verb} missing in {}", thousands(lost), names.join(", "));
    if torn.len() > NAMED {
        let _infallible = write!(text, " and {} more", torn.len() - NAMED);
    }
    text
}

/// Names the unreachable servers: `Kafka: connection refused` is about Kafka.
fn away(unreachable: &[String]) -> String {
    let names: Vec<_> = unreachable
        .iter()
        .map(|reason| reason.split(':').next().unwrap_or_default())
        .collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb} unreachable", names.join(" and "))
}

fn detail(view: &View) -> String {
    let status = &view.status;
    if !status.unreachable.is_empty() {
        return format!(
            "The services wait and drop nothing. {}",
            status.unreachable.join("; ")
        );
    }
    if !view.contradictions.is_empty() {
        return view.contradictions.join("; ");
    }
    let sum = |value: fn(&pulseline_auditor::Flow) -> i64| thousands(status.flows.iter().map(value).sum());
    let mut text = format!(
        "{} messages: {} loaded, {} duplicate, {} dead",
        sum(|flow| flow.produced),
        sum(|flow| flow.loaded),
        sum(|flow| flow.duplicate),
        sum(|flow| flow.dead),
    );
    text += &match status.dirty_days {
        0 => String::new(),
        1 => "; 1 change waits for the compactor".into(),
        many => format!("; {} changes wait for the compactor", thousands(many)),
    };
    text += &match status.dead_letters {
        0 => String::new(),
        1 => "; 1 dead letter is open".into(),
        many => format!("; {} dead letters are open", thousands(many)),
    };
    text
}

/// Formats a number as the page does: 1,889,227.
fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use pulseline_auditor::{Flow, Status};

    use super::*;

    fn view(lost: &[std::ops::Range<i64>], in_flight: std::ops::Range<i64>) -> View {
        let ledger = Ledger {
            topic: "fitbit.steps".into(),
            end: 9_000,
            lost: lost.to_vec(),
            in_flight: vec![in_flight],
            ..Ledger::default()
        };
        let flow = Flow {
            produced: 9_000,
            loaded: 9_000,
            ..Flow::default()
        };
        View {
            status: Status {
                flows: vec![flow],
                ..Status::default()
            },
            ledgers: vec![ledger],
            contradictions: Vec::new(),
        }
    }

    #[test]
    fn one_sentence_says_how_it_stands() {
        let said = |view: &View| (headline(view).state, headline(view).text);
        assert_eq!(
            said(&view(&[], 0..0)),
            (State::Good, "Everything is accounted for".into())
        );
        let moving = view(&[], 7_000..8_234);
        assert_eq!(
            said(&moving),
            (State::Moving, "1,234 messages are in flight".into())
        );
        let torn = view(&[3..4, 9..11], 7_000..8_000);
        assert_eq!(
            said(&torn),
            (State::Bad, "3 offsets are missing in fitbit.steps/0".into())
        );
        assert_eq!(
            said(&View::default()),
            (State::Good, "Nothing has been produced yet".into())
        );
        let mut away = view(&[], 0..0);
        away.status.unreachable = vec!["Kafka: broker down".into(), "MongoDB: no answer".into()];
        assert_eq!(
            said(&away),
            (State::Away, "Kafka and MongoDB are unreachable".into())
        );
        assert!(headline(&away).detail.contains("broker down"));
        let mut made_anew = view(&[], 0..0);
        made_anew.contradictions.push("fitbit.steps/0 ends at 3".into());
        assert_eq!(
            said(&made_anew),
            (
                State::Bad,
                "Kafka's end offset is below an accounted offset".into()
            )
        );
        assert_eq!(headline(&made_anew).detail, "fitbit.steps/0 ends at 3");
    }

    #[test]
    fn what_waits_is_told_below_it() {
        let mut waiting = view(&[], 0..0);
        (waiting.status.dirty_days, waiting.status.dead_letters) = (12, 3);
        let expected = "9,000 messages: 9,000 loaded, 0 duplicate, 0 dead; 12 changes wait for the compactor; \
            3 dead letters are open";
        assert_eq!(headline(&waiting).detail, expected);
        (waiting.status.dirty_days, waiting.status.dead_letters) = (1, 1);
        let one = "; 1 change waits for the compactor; 1 dead letter is open";
        assert!(headline(&waiting).detail.ends_with(one));
    }
}
