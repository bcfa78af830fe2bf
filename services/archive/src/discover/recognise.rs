//! Recognises a single file.

use crate::family::{Family, Layout, OF_A_PERSON};
use crate::tree::ArchiveEntry;

/// The kind of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recognised {
    Carried(Layout, Family),
    /// Its kind, and why it is unsupported.
    Not(String, &'static str),
}

const NO_STREAM: &str = "no stream carries it";
const UNKNOWN: &str = "not known";
const QUESTIONNAIRE: &str = "answers to questionnaires, not readings";

/// Known but unsupported kinds, by prefix of their names.
const KNOWN: [(&str, &str); 22] = [
    ("hourlycalories", "hourly sums: coarser than any stream"),
    ("hourlyintensities", "hourly sums: coarser than any stream"),
    ("hourlysteps", "hourly sums: coarser than any stream"),
    ("minuteintensities", NO_STREAM),
    ("sleepday", "daily sums of sleep, without sessions"),
    (
        "participant-overview",
        "profiles in a spreadsheet; use options for time zones",
    ),
    ("estimated_oxygen_variation", NO_STREAM),
    ("demographic_vo2_max", NO_STREAM),
    ("run_vo2_max", NO_STREAM),
    ("active zone minutes", NO_STREAM),
    ("altitude", NO_STREAM),
    ("swim_lengths_data", NO_STREAM),
    ("daily spo2", NO_STREAM),
    ("minute spo2", NO_STREAM),
    ("device temperature", NO_STREAM),
    ("computed temperature", NO_STREAM),
    ("daily heart rate variability", NO_STREAM),
    ("heart rate variability", NO_STREAM),
    ("respiratory rate", NO_STREAM),
    ("stress score", NO_STREAM),
    ("weight", NO_STREAM),
    ("water_logs", NO_STREAM),
];

/// Recognises a file by its name. Its head distinguishes a person's `steps.json` from the store's, and identifies
/// tables.
pub(super) fn recognise(entry: &ArchiveEntry, head: &[u8]) -> Recognised {
    let name = entry.name();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let carried = match ending.to_ascii_lowercase().as_str() {
        "json" => of_json(stem, head),
        "csv" => of_csv(stem, head),
        _ => None,
    };
    if let Some((layout, family)) = carried {
        return Recognised::Carried(layout, family);
    }
    let folder = entry.folder().rsplit('/').next().unwrap_or_default();
    if let questionnaire @ ("pmsys" | "googledocs") = folder {
        return Recognised::Not(questionnaire.to_owned(), QUESTIONNAIRE);
    }
    let kind = undated(stem).0;
    let lower = kind.to_ascii_lowercase();
    let known = KNOWN.iter().find(|(begin, _)| lower.starts_with(begin));
    let shown = if kind.is_empty() {
        name.to_owned()
    } else {
        format!("{kind}.{ending}")
    };
    Recognised::Not(shown, known.map_or(UNKNOWN, |(_, why)| why))
}

fn of_json(stem: &str, head: &[u8]) -> Option<(Layout, Family)> {
    let is_document = ["\"device_id\"", "\"metrics\""]
        .iter()
        .any(|name| has(head, name));
    let is_document = is_document && !has(head, "\"dateTime\"");
    let (kind, dated) = undated(stem);
    match kind {
        "users" => return Some((Layout::Store, Family::StoreUsers)),
        "heart_rates" => return Some((Layout::Store, Family::StoreHeartRates)),
        "sleeps" => return Some((Layout::Store, Family::StoreSleeps)),
        "steps" if is_document => return Some((Layout::Store, Family::StoreSteps)),
        _ => {}
    }
    let family = OF_A_PERSON
        .into_iter()
        .find(|family| !family.is_csv() && family.name() == kind)?;
    Some((if dated { Layout::Account } else { Layout::Pmdata }, family))
}

fn of_csv(stem: &str, head: &[u8]) -> Option<(Layout, Family)> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let header = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let begins = |columns: &str| header.to_ascii_lowercase().starts_with(columns.as_bytes());
    if stem.starts_with("sleep_score") || begins("sleep_log_entry_id,timestamp,") {
        // Both layouts with this kind use the same clock.
        return Some((Layout::Account, Family::SleepScore));
    }
    let family = if begins("id,time,value") {
        Family::TableHeartRate
    } else if begins("id,activityhour,steps00") {
        Family::TableSteps
    } else if begins("id,activitydate,") && has(header, "SedentaryMinutes") {
        Family::TableActivity
    } else {
        return None;
    };
    Some((Layout::Fitabase, family))
}

/// The stem without a trailing date or number, and whether it had one.
fn undated(stem: &str) -> (&str, bool) {
    let kind =
        stem.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | ' ' | '(' | ')'));
    let rest = &stem[kind.len()..];
    // `steps (1).json` is a repeated download.
    (kind, rest.starts_with('-'))
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stem: &str, ending: &str, head: &str) -> Option<(Layout, Family)> {
        if ending == "csv" {
            of_csv(stem, head.as_bytes())
        } else {
            of_json(stem, head.as_bytes())
        }
    }

    #[test]
    fn the_same_name_means_different_files() {
        let reading = r#"[{"dateTime": "2019-11-01 00:00:00", "value": "1"}]"#;
        let document = r#"[{"device_id": "0123", "metrics": []}]"#;
        assert_eq!(
            of("steps", "json", reading),
            Some((Layout::Pmdata, Family::Steps))
        );
        assert_eq!(
            of("steps", "json", document),
            Some((Layout::Store, Family::StoreSteps))
        );
        assert_eq!(
            of("steps-2020-04-08", "json", reading),
            Some((Layout::Account, Family::Steps))
        );
        assert_eq!(
            of("exercise-100", "json", "[]"),
            Some((Layout::Account, Family::Exercise))
        );
        assert_eq!(
            of("exercise", "json", "[]"),
            Some((Layout::Pmdata, Family::Exercise))
        );
    }

    #[test]
    fn tables_are_known_by_their_header() {
        assert_eq!(
            of("4558609924", "csv", "\u{feff}Id,Time,Value\r\n"),
            Some((Layout::Fitabase, Family::TableHeartRate))
        );
        assert_eq!(
            of("x", "csv", "Id,ActivityHour,Steps00,Steps01"),
            Some((Layout::Fitabase, Family::TableSteps))
        );
        assert_eq!(of("hourlySteps_merged", "csv", "Id,ActivityHour,StepTotal"), None);
    }

    #[test]
    fn dates_and_numbers_are_not_part_of_a_kind() {
        assert_eq!(undated("heart_rate-2020-04-05"), ("heart_rate", true));
        assert_eq!(
            undated("Active Zone Minutes - 2020-05-01"),
            ("Active Zone Minutes", false)
        );
        assert_eq!(undated("steps (1)"), ("steps", false));
    }
}
