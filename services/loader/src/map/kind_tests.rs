//! The mappings beside the table of streams.

use pulseline_schemas::Kind;

use super::entries::RowGranularity;
use super::*;

#[test]
fn every_stream_is_mapped_as_its_kind_says() {
    for stream in Stream::ALL {
        let table = stream.raw_table();
        match (stream.kind(), table_mapping(stream)) {
            (Kind::Readings(kind), TableMapping::Readings(readings)) => {
                assert_eq!((readings.table, readings.value), (table, kind.value));
            }
            (Kind::Days, TableMapping::Entries(entries)) => {
                assert_eq!(
                    (entries.table, entries.granularity),
                    (table, RowGranularity::Sample)
                );
                assert!(entries.children.is_none(), "{stream}");
            }
            (Kind::Sessions(kind), TableMapping::Entries(entries)) => {
                assert_eq!(
                    (entries.table, entries.granularity),
                    (table, RowGranularity::Upload)
                );
                let children: Vec<_> = entries.children.iter().map(|children| children.table).collect();
                assert_eq!(
                    children, kind.children,
                    "`forget` deletes the tables that the kind names"
                );
            }
            (Kind::Profiles, TableMapping::Profiles) => {}
            (kind, _) => panic!("{stream} is of the kind {kind:?}, and mapped as another"),
        }
    }
}
