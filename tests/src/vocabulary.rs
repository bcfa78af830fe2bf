//! The vocabulary of this code: former words of identifiers, and the standard terms that replace them. Pure.

use crate::identifiers::words;

/// Words that identifiers must not contain → their replacement. Kafka's and PostgreSQL's own terms need no
/// glossary.
const WORDS_REFUSED: [(&[&str], &str); 19] = [
    (&["letter", "letters"], "dead letter"),
    (&["book", "books"], "ops tables, or a backfill's progress"),
    (&["feed", "feeds"], "byte-bounded channel"),
    (&["frontier", "frontiers"], "high watermarks"),
    (&["flight", "flights", "fly", "flying"], "flush"),
    (&["landing", "landings", "landed"], "flush outcome"),
    (&["cargo"], "batch"),
    (&["errand", "errands"], "task slot"),
    (&["asker"], "metadata client"),
    (&["heard"], "delivery reported"),
    (&["held"], "write guard"),
    (
        &["mend", "mends", "mended", "mending", "mender"],
        "repair, or an offset loader",
    ),
    (&["revive", "reviver"], "replay of dead letters"),
    (&["tails", "voids"], "gaps"),
    (
        &["look", "looks", "sight", "sights"],
        "snapshot, poll, check or statistics",
    ),
    (&["happening", "happenings", "stood"], "loop event, blocked for"),
    (
        &["reckon", "reckoned", "reckoning", "judged"],
        "reconcile, classify",
    ),
    (&["generation", "generations"], "incarnation of a topic"),
    (&["departed", "impatient"], "started at, short lock timeout"),
];

/// Names that are refused only as a whole: inside a longer name, such as a test's, they are plain English.
const NAMES_OF_CODE_REFUSED: [(&str, &str); 8] = [
    ("Connections", "the service's own name before it"),
    ("Per", "RowGranularity"),
    ("Place", "StreamPosition, PagePosition"),
    ("Shape", "TableMapping"),
    ("Turn", "PauseAction"),
    ("reach", "qualify"),
    ("shape_of", "table_mapping"),
    ("told", "describe"),
];

/// Neighbours that make a refused word a standard term.
const TERMS: [&str; 4] = ["dead_letter", "dead_letters", "in_flight", "held_back"];

/// The replacement for an identifier that contains a refused word.
#[must_use]
pub fn refused_word(identifier: &str) -> Option<&'static str> {
    let whole = NAMES_OF_CODE_REFUSED.iter().find(|(name, _)| *name == identifier);
    if let Some((_, instead)) = whole {
        return Some(instead);
    }
    let words = words(identifier);
    let is_term = |at: usize| {
        let pairs = [at.checked_sub(1).map(|before| (before, at)), Some((at, at + 1))];
        pairs.into_iter().flatten().any(|(left, right)| {
            let pair = words.get(left).zip(words.get(right));
            pair.is_some_and(|(left, right)| TERMS.contains(&format!("{left}_{right}").as_str()))
        })
    };
    words.iter().enumerate().find_map(|(at, word)| {
        let found = WORDS_REFUSED
            .iter()
            .find(|(words, _)| words.contains(&word.as_str()));
        found.filter(|_| !is_term(at)).map(|(_, instead)| *instead)
    })
}
