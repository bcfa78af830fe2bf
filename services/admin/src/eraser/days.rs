//! The days of a scope as conditions of SQL: for what is deleted, and for what is searched.

use pulseline_schemas::{Kind, Stream};
use pulseline_sql::periods::{DayNumber, date_of};
use pulseline_tombstones::Days;

use crate::eraser::person::Scope;

/// Relations that say who owns a device; the search finds a person there by their id.
const OF_OWNERS: [&str; 4] = [
    "raw.devices",
    "raw.device_versions",
    "raw.device_owners",
    "stage.devices",
];
/// Columns of figures and sessions that hold their day.
const DAY_COLUMNS: [&str; 6] = [
    "bucket",
    "sleep_date",
    "exercise_date",
    "owned_on",
    "local_ts",
    "local_date",
];

impl Scope {
    /// ` and …`: rows of the scope's days by this column; nothing where it has all days.
    pub(crate) fn on(&self, column: &str) -> String {
        self.days
            .as_deref()
            .map_or_else(String::new, |days| format!(" and {}", within(column, None, days)))
    }
}

/// True where `column`, and the period of this length that begins there, lies on these days.
fn within(column: &str, length: Option<&str>, days: &[Days]) -> String {
    let part = |days: &Days| {
        let (from, until) = (bound(days.start), bound(days.end));
        let ends = length.map(|length| format!(" and {column} + interval '{length}' <= '{until}'"));
        let ends = ends.unwrap_or_default();
        format!("({column} >= '{from}' and {column} < '{until}'{ends})")
    };
    let parts: Vec<String> = days.iter().map(part).collect();
    format!("({})", parts.join(" or "))
}

fn bound(day: DayNumber) -> String {
    match day {
        DayNumber::MIN => "-infinity".into(),
        DayNumber::MAX => "infinity".into(),
        day => date_of(day).to_string(),
    }
}

/// Rows of a device in a relation `r` that lie on these days: the device is in `$1`. None for a relation that says who owns it.
/// A relation whose days are not known here is searched whole, so that nothing is overlooked.
pub(crate) fn condition(relation: &str, columns: &[String], days: &[Days]) -> Option<String> {
    const OF_DEVICE: &str = "device_id = any($1)";
    if OF_OWNERS.contains(&relation) {
        return None;
    }
    if let Some(stream) = parent(relation) {
        let table = stream.raw_table();
        let column = stream.kind().day_column().unwrap_or_default();
        let own = within(&format!("p.{column}"), None, days);
        // A row without its session is left over from one that was deleted.
        return Some(format!(
            "{OF_DEVICE} and not exists (select from {table} p where p.device_id = r.device_id and p.log_id = r.log_id \
             and not {own})"
        ));
    }
    let raw = Stream::ALL
        .into_iter()
        .find(|stream| stream.raw_table() == relation);
    let named = DAY_COLUMNS
        .into_iter()
        .find(|name| columns.iter().any(|column| column == name));
    let Some(column) = raw.and_then(|stream| stream.kind().day_column()).or(named) else {
        return Some(OF_DEVICE.into());
    };
    let length = match relation {
        _ if relation.contains("weekly_") => Some("7 days"),
        _ if relation.contains("monthly_") => Some("1 month"),
        _ => None,
    };
    Some(format!("{OF_DEVICE} and {}", within(column, length, days)))
}

/// The stream whose sessions a relation's rows belong to, by device and log.
pub(crate) fn parent(relation: &str) -> Option<Stream> {
    let has = |stream: &Stream| match stream.kind() {
        Kind::Sessions(sessions) => sessions.children.contains(&relation),
        Kind::Readings(_) | Kind::Days | Kind::Profiles => false,
    };
    match relation {
        "stage.sleep_heart_rates" | "stage.sleep_pieces" => Some(Stream::Sleeps),
        _ => Stream::ALL.into_iter().find(has),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 3] = ["device_id", "bucket", "sleep_date"];

    fn of(relation: &str, columns: &[&str]) -> Option<String> {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        condition(
            relation,
            &columns,
            std::slice::from_ref(&(DayNumber::MIN..18_262)),
        )
    }

    #[test]
    fn p_17_a_period_belongs_to_the_days_that_hold_all_of_it() {
        let daily = of("agg.daily_steps", &COLUMNS).unwrap();
        assert!(
            daily.contains("bucket >= '-infinity' and bucket < '2020-01-01'"),
            "{daily}"
        );
        let weekly = of("agg.weekly_steps", &COLUMNS).unwrap();
        assert!(
            weekly.contains("bucket + interval '7 days' <= '2020-01-01'"),
            "{weekly}"
        );
    }

    #[test]
    fn p_17_a_session_goes_by_its_day_and_its_children_go_with_it() {
        let sleeps = of("raw.sleeps", &["device_id", "local_ts"]).unwrap();
        assert!(sleeps.contains("end_local < '2020-01-01'"), "{sleeps}");
        let levels = of("raw.sleep_levels", &["device_id", "local_ts"]).unwrap();
        assert!(levels.contains("from raw.sleeps p"), "{levels}");
        assert!(
            of("raw.exercises", &["device_id"])
                .unwrap()
                .contains("start_local < ")
        );
    }

    #[test]
    fn p_17_what_is_not_known_is_searched_whole() {
        assert_eq!(of("agg.new", &["device_id"]).unwrap(), "device_id = any($1)");
        assert_eq!(of("raw.device_owners", &["device_id"]), None);
    }

    #[test]
    fn a_scope_of_all_days_has_no_condition() {
        let days = Some(vec![18_262..18_263, 18_300..DayNumber::MAX]);
        let scope = |days| Scope {
            devices: Vec::new(),
            days,
        };
        assert_eq!(scope(None).on("local_ts"), "");
        let on = scope(days).on("local_ts");
        assert!(
            on.contains("< '2020-01-02'") && on.contains(" or ") && on.contains("< 'infinity'"),
            "{on}"
        );
    }
}
