//! Events to test with: one fixed event per stream, and arbitrary ones.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use pulseline_schemas::{
    Event, HeartRate, HeartRates, LocalMillis, Sleep, SleepLevel, Step, Steps, Stream, Upload, User,
    UtcMillis,
};
use uuid::Uuid;

/// The event whose bytes are frozen. Never changed: a new version of a schema gets new golden bytes beside the old.
pub(crate) fn fixed(stream: Stream) -> Event {
    // 2019-11-01 23:30 in Oslo.
    let window_start = LocalMillis(1_572_651_000_000);
    let upload = Upload {
        event_id: Uuid::from_u128(0x0123_4567_89ab_5def_8123_4567_89ab_cdef),
        device_id: Uuid::from_u128(0xfedc_ba98_7654_4210_bedc_ba98_7654_3210),
        synced_at: UtcMillis(1_572_691_200_123),
        utc_offset_minutes: 60,
        window_start,
        window_end: LocalMillis(window_start.0 + 900_000),
    };
    let at = |seconds: i64| LocalMillis(window_start.0 + seconds * 1_000);
    match stream {
        Stream::HeartRates => Event::HeartRates(HeartRates {
            upload,
            samples: vec![
                HeartRate {
                    ts: at(5),
                    bpm: 54,
                    confidence: 3,
                },
                HeartRate {
                    ts: at(10),
                    bpm: 70,
                    confidence: 0,
                },
                HeartRate {
                    ts: at(895),
                    bpm: 201,
                    confidence: 1,
                },
            ],
        }),
        Stream::Steps => Event::Steps(Steps {
            upload,
            samples: vec![
                Step { ts: at(0), steps: 0 },
                Step {
                    ts: at(60),
                    steps: 117,
                },
            ],
        }),
        Stream::Sleeps => fixed_sleep(upload),
        Stream::Users => fixed_user(&upload),
    }
}

fn fixed_sleep(upload: Upload) -> Event {
    let at = |seconds: i64| LocalMillis(upload.window_start.0 + seconds * 1_000);
    let level = |seconds: i64, name: &str, length| SleepLevel {
        ts: at(seconds),
        level: name.into(),
        seconds: length,
    };
    Event::Sleep(Sleep {
        upload: Upload {
            window_end: at(27_000),
            ..upload
        },
        end_utc_offset_minutes: 60,
        log_id: 24_500_000_001,
        date_of_sleep: 18_202,
        duration_ms: 27_000_000,
        minutes_to_fall_asleep: 0,
        minutes_asleep: 401,
        minutes_awake: 49,
        minutes_after_wakeup: 0,
        time_in_bed: 450,
        efficiency: 94,
        kind: "stages".into(),
        info_code: Some(0),
        main_sleep: true,
        levels: vec![
            level(0, "wake", 600),
            level(600, "light", 12_000),
            level(12_600, "deep", 14_400),
        ],
        short_levels: vec![level(9_000, "wake", 60)],
    })
}

fn fixed_user(upload: &Upload) -> Event {
    Event::User(User {
        event_id: upload.event_id,
        user_id: Uuid::from_u128(7),
        synced_at: upload.synced_at,
        created_at: UtcMillis(1_572_566_400_000),
        email: Some("p01@example.org".into()),
        date_of_birth: Some(-365),
        gender: Some("female".into()),
        height_cm: Some(171),
        max_heart_rate: None,
        zone: Some("Europe/Oslo".into()),
        devices: vec![upload.device_id, Uuid::from_u128(8)],
    })
}

fn ids() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn clocks() -> impl Strategy<Value = LocalMillis> {
    any::<i64>().prop_map(LocalMillis)
}

fn instants() -> impl Strategy<Value = UtcMillis> {
    any::<i64>().prop_map(UtcMillis)
}

fn uploads() -> impl Strategy<Value = Upload> {
    (ids(), ids(), instants(), any::<i32>(), clocks(), clocks()).prop_map(
        |(event_id, device_id, synced_at, utc_offset_minutes, window_start, window_end)| Upload {
            event_id,
            device_id,
            synced_at,
            utc_offset_minutes,
            window_start,
            window_end,
        },
    )
}

fn levels() -> impl Strategy<Value = Vec<SleepLevel>> {
    let level = (clocks(), any::<String>(), any::<i32>()).prop_map(|(ts, level, seconds)| SleepLevel {
        ts,
        level,
        seconds,
    });
    vec(level, 0..5)
}

fn sleeps() -> impl Strategy<Value = Event> {
    let parts = (
        uploads(),
        any::<[i32; 9]>(),
        any::<[i64; 2]>(),
        any::<String>(),
        option::of(any::<i32>()),
        any::<bool>(),
        levels(),
        levels(),
    );
    parts.prop_map(
        |(upload, ints, longs, kind, info_code, main_sleep, levels, short_levels)| {
            Event::Sleep(Sleep {
                upload,
                end_utc_offset_minutes: ints[0],
                log_id: longs[0],
                date_of_sleep: ints[1],
                duration_ms: longs[1],
                minutes_to_fall_asleep: ints[2],
                minutes_asleep: ints[3],
                minutes_awake: ints[4],
                minutes_after_wakeup: ints[5],
                time_in_bed: ints[6],
                efficiency: ints[7],
                kind,
                info_code,
                main_sleep,
                levels,
                short_levels,
            })
        },
    )
}

fn users() -> impl Strategy<Value = Event> {
    let text = || option::of(any::<String>());
    let int = || option::of(any::<i32>());
    let parts = (
        (ids(), ids(), instants(), instants()),
        (text(), text(), text()),
        (int(), int(), int()),
        vec(ids(), 0..4),
    );
    parts.prop_map(
        |((event_id, user_id, synced_at, created_at), (email, gender, zone), ints, devices)| {
            let (date_of_birth, height_cm, max_heart_rate) = ints;
            Event::User(User {
                event_id,
                user_id,
                synced_at,
                created_at,
                email,
                date_of_birth,
                gender,
                height_cm,
                max_heart_rate,
                zone,
                devices,
            })
        },
    )
}

/// Any event at all, plausible or not.
pub(crate) fn arbitrary() -> impl Strategy<Value = Event> {
    let heart_rate = (clocks(), any::<i32>(), any::<i32>()).prop_map(|(ts, bpm, confidence)| HeartRate {
        ts,
        bpm,
        confidence,
    });
    let step = (clocks(), any::<i32>()).prop_map(|(ts, steps)| Step { ts, steps });
    prop_oneof![
        (uploads(), vec(heart_rate, 0..20))
            .prop_map(|(upload, samples)| Event::HeartRates(HeartRates { upload, samples })),
        (uploads(), vec(step, 0..20)).prop_map(|(upload, samples)| Event::Steps(Steps { upload, samples })),
        sleeps(),
        users(),
    ]
}
