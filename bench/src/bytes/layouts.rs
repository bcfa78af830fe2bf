//! Layouts of packed heart rates: raw's layout, and variants that differ in one setting.

/// Columns, chunks and settings of a table.
pub(super) struct Layout {
    pub(super) name: &'static str,
    columns: &'static str,
    /// Its time column and the length of a chunk.
    chunks: &'static str,
    key: &'static str,
    segment_by: &'static str,
    order_by: &'static str,
}

/// The layout of raw.heart_rates.
const RAW: Layout = Layout {
    name: "as raw is",
    columns: "device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id",
    chunks: "'local_ts', interval '1 day'",
    key: "device_id, local_ts, utc_offset_minutes",
    segment_by: "device_id",
    order_by: "local_ts, utc_offset_minutes",
};

pub(super) const LAYOUTS: [Layout; 16] = [
    RAW,
    Layout {
        name: "order: offset before time",
        order_by: "utc_offset_minutes, local_ts",
        ..RAW
    },
    Layout {
        name: "order: time alone",
        order_by: "local_ts",
        ..RAW
    },
    Layout {
        name: "segment: device and offset",
        segment_by: "device_id, utc_offset_minutes",
        order_by: "local_ts",
        ..RAW
    },
    Layout {
        name: "segment: none",
        segment_by: "",
        order_by: "device_id, local_ts, utc_offset_minutes",
        ..RAW
    },
    Layout {
        name: "chunks of 7 days",
        chunks: "'local_ts', interval '7 days'",
        ..RAW
    },
    Layout {
        name: "segment: device and offset, chunks of 7 days",
        chunks: "'local_ts', interval '7 days'",
        segment_by: "device_id, utc_offset_minutes",
        order_by: "local_ts",
        ..RAW
    },
    Layout {
        name: "bpm as int4",
        columns: "device_id, local_ts, utc_offset_minutes, bpm::int as bpm, confidence, synced_at, event_id",
        ..RAW
    },
    Layout {
        name: "time as int4 seconds",
        columns: "device_id, extract(epoch from local_ts)::int as local_s, utc_offset_minutes, bpm, confidence, synced_at, event_id",
        chunks: "'local_s', 86400",
        key: "device_id, local_s, utc_offset_minutes",
        order_by: "local_s, utc_offset_minutes",
        ..RAW
    },
    Layout {
        name: "time as int4 seconds, chunks of 7 days",
        columns: "device_id, extract(epoch from local_ts)::int as local_s, utc_offset_minutes, bpm, confidence, synced_at, event_id",
        chunks: "'local_s', 604800",
        key: "device_id, local_s, utc_offset_minutes",
        order_by: "local_s, utc_offset_minutes",
        ..RAW
    },
    Layout {
        name: "synced_at in whole seconds",
        columns: "device_id, local_ts, utc_offset_minutes, bpm, confidence, date_trunc('second', synced_at) as synced_at, event_id",
        ..RAW
    },
    Layout {
        name: "without synced_at",
        columns: "device_id, local_ts, utc_offset_minutes, bpm, confidence, event_id",
        ..RAW
    },
    Layout {
        name: "without event_id",
        columns: "device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at",
        ..RAW
    },
    Layout {
        name: "event_id as int8",
        columns: "device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, hashtextextended(event_id::text, 0) as event_id",
        ..RAW
    },
    Layout {
        name: "one int4 for both",
        columns: "device_id, local_ts, utc_offset_minutes, bpm, confidence, \
            dense_rank() over (order by synced_at, event_id)::int as upload",
        ..RAW
    },
    Layout {
        name: "without both",
        columns: "device_id, local_ts, utc_offset_minutes, bpm, confidence",
        ..RAW
    },
];

impl Layout {
    /// SQL that makes the table and fills it.
    pub(super) fn make(&self) -> String {
        let Self {
            columns,
            chunks,
            key,
            segment_by,
            order_by,
            ..
        } = self;
        let not_null: Vec<_> = key
            .split(", ")
            .map(|column| format!("alter column {column} set not null"))
            .collect();
        format!(
            "create table bench.packed as select {columns} from bench.readings limit 0; \
             alter table bench.packed {}; \
             select create_hypertable('bench.packed', by_range({chunks}), create_default_indexes => false); \
             create unique index on bench.packed ({key}); \
             alter table bench.packed set (timescaledb.enable_columnstore, timescaledb.segmentby = '{segment_by}', \
                 timescaledb.orderby = '{order_by}'); \
             insert into bench.packed select {columns} from bench.readings",
            not_null.join(", ")
        )
    }
}
