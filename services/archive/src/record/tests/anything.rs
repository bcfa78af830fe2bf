//! Any record is converted or refused with a known reason, without a panic.

use proptest::prelude::*;

use super::*;
use crate::REASONS;

const FAMILIES: [Family; 17] = [
    Family::HeartRate,
    Family::Steps,
    Family::Distance,
    Family::Calories,
    Family::Activity("sedentary"),
    Family::RestingHeartRate,
    Family::HeartRateZones,
    Family::Sleep,
    Family::SleepScore,
    Family::Exercise,
    Family::TableHeartRate,
    Family::TableSteps,
    Family::TableActivity,
    Family::StoreHeartRates,
    Family::StoreSteps,
    Family::StoreSleeps,
    Family::StoreUsers,
];

const NAMES: [&str; 34] = [
    "dateTime",
    "value",
    "bpm",
    "confidence",
    "date",
    "error",
    "valuesInZones",
    "logId",
    "startTime",
    "endTime",
    "duration",
    "minutesToFallAsleep",
    "minutesAsleep",
    "minutesAwake",
    "minutesAfterWakeup",
    "timeInBed",
    "efficiency",
    "type",
    "mainSleep",
    "levels",
    "data",
    "shortData",
    "level",
    "seconds",
    "activityName",
    "activityLevel",
    "heartRateZones",
    "device_id",
    "metrics",
    "ts",
    "user_id",
    "created_at",
    "devices",
    "dob",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_i64..2_000_000_000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9]{1,4}[-/][0-9]{1,2}[-/][0-9]{1,4}[ T]?[0-9:.]{0,12}".prop_map(Value::from),
        "20(19|20)-0[1-9]-2[0-8] 0[0-9]:[0-5][0-9]:00".prop_map(Value::from),
        "-?[0-9]{0,20}(\\.[0-9]{0,3})?".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object(inner),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let name = proptest::sample::select(NAMES.to_vec()).prop_map(str::to_owned);
    proptest::collection::vec((name, inner), 0..12)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

fn check(family: Family, records: &[&str]) {
    for clock in [Clock::Utc, Clock::Local] {
        let (out, _) = read(family, clock, records);
        for (item, refusal) in out.refusals {
            assert!(item >= -1 && REASONS.contains(&refusal.reason), "{refusal:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_object_is_carried_or_refused(record in object(value())) {
        let record = record.to_string();
        for family in FAMILIES.into_iter().filter(|family| !family.is_csv()) {
            check(family, &[&record]);
        }
    }

    #[test]
    fn any_row_is_carried_or_refused(row in "[0-9/,:\" APM.-]{0,60}") {
        for family in FAMILIES.into_iter().filter(|family| family.is_csv()) {
            for header in ["Id,Time,Value", "Id,ActivityHour,Steps00", "Id,ActivityDate,SedentaryMinutes", "timestamp,sleep_log_entry_id"] {
                check(family, &[header, &row]);
            }
        }
    }
}
