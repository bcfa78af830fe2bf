//! Reads the ops tables.

use std::collections::BTreeMap;

use bson::RawDocument;
use pulseline_schemas::Position;
use pulseline_sql::{Client, GenericClient};
use tokio_postgres::Row;

use crate::error::AuditError;
use crate::kafka::Partition;
use crate::offsets::Offsets;

const ACCOUNTED: &str = "select topic, partition, offsets::text, duplicate::text, void::text, dead::text, erased::text, generation \
    from ops.accounted_offsets a \
    where generation = (select max(generation) from ops.accounted_offsets b where b.topic = a.topic)";

/// Offsets of one partition that were dealt with, by kind; each counts once (P1).
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounted {
    /// Which incarnation of the topic.
    pub(crate) incarnation: i32,
    pub(crate) offsets: Offsets,
    pub(crate) duplicate: Offsets,
    pub(crate) void: Offsets,
    pub(crate) dead: Offsets,
    pub(crate) erased: Offsets,
}

impl Accounted {
    /// Everything that is of no other kind.
    pub(crate) fn loaded(&self) -> i64 {
        let others = [&self.duplicate, &self.void, &self.dead, &self.erased];
        self.offsets.count() - others.map(Offsets::count).iter().sum::<i64>()
    }
}

/// The newest incarnation of every partition.
pub(crate) async fn accounted(client: &Client) -> Result<BTreeMap<Partition, Accounted>, AuditError> {
    let mut all = BTreeMap::new();
    for row in client.query(ACCOUNTED, &[]).await? {
        let offsets = |column: usize| parse(row.get(column));
        let accounted = Accounted {
            incarnation: row.get(7),
            offsets: offsets(2)?,
            duplicate: offsets(3)?,
            void: offsets(4)?,
            dead: offsets(5)?,
            erased: offsets(6)?,
        };
        all.insert((row.get(0), row.get(1)), accounted);
    }
    Ok(all)
}

const FATES: &str = "select topic, generation, partition, (offsets - duplicate - void - dead - erased)::text, dead::text \
    from ops.accounted_offsets where topic = $1";
const ALL_OFFSETS: &str = "select topic, generation, partition, offsets::text from ops.accounted_offsets";
/// Instants in UTC milliseconds up to which a collection is loaded: an event at that time, or a poll that found nothing.
const PASSED: &str = "select collection, \
    (extract(epoch from greatest(min(caught_up_at), min(cluster_time))) * 1000)::bigint \
    from ops.checkpoints group by collection";

/// Offsets by topic, incarnation and partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllOffsets(BTreeMap<(String, i32, i32), Offsets>);

impl AllOffsets {
    /// Every offset that is accounted for, of whatever kind.
    pub(crate) async fn accounted(client: &impl GenericClient) -> Result<Self, AuditError> {
        let mut all = Self::default();
        for row in client.query(ALL_OFFSETS, &[]).await? {
            all.add(&row, 3)?;
        }
        Ok(all)
    }

    fn add(&mut self, row: &Row, column: usize) -> Result<(), AuditError> {
        let key = (row.get(0), row.get(1), row.get(2));
        self.0.insert(key, parse(row.get(column))?);
        Ok(())
    }

    /// True when the position is among them.
    pub(crate) fn contain(&self, position: &Position) -> bool {
        let key = (position.topic.clone(), position.incarnation, position.partition);
        self.0
            .get(&key)
            .is_some_and(|offsets| offsets.contains(position.offset))
    }
}

/// What became of the documents of one topic, as of one snapshot: all incarnations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    loaded: AllOffsets,
    dead: AllOffsets,
}

impl Loaded {
    /// Reads them in the caller's snapshot.
    pub(crate) async fn read(client: &impl GenericClient, topic: &str) -> Result<Self, AuditError> {
        let mut all = Self::default();
        for row in client.query(FATES, &[&topic]).await? {
            all.loaded.add(&row, 3)?;
            all.dead.add(&row, 4)?;
        }
        Ok(all)
    }

    /// These offsets of partition 0 of a topic's first incarnation, for tests.
    #[cfg(test)]
    pub(crate) fn of_topic(topic: &str, offsets: &str) -> Self {
        let key = (topic.to_owned(), 1, 0);
        let loaded = AllOffsets([(key, Offsets::parse(offsets).unwrap())].into());
        let dead = AllOffsets::default();
        Self { loaded, dead }
    }

    /// True when the document's rows are in raw. False for one on its way, a dead letter, or one without a position.
    pub(crate) fn holds(&self, document: &RawDocument) -> bool {
        Position::of_document(document).is_ok_and(|position| self.loaded.contain(&position))
    }

    /// True when the whole document is a dead letter.
    pub(crate) fn is_dead(&self, document: &RawDocument) -> bool {
        Position::of_document(document).is_ok_and(|position| self.dead.contain(&position))
    }
}

/// Up to when each collection is loaded, in UTC milliseconds; none where that is not known yet.
pub(crate) async fn passed(client: &Client) -> Result<BTreeMap<String, Option<i64>>, AuditError> {
    let rows = client.query(PASSED, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn parse(text: &str) -> Result<Offsets, AuditError> {
    let unread = || {
        AuditError::Unexpected(format!(
            "ops.accounted_offsets holds {text}, which is not a multirange"
        ))
    };
    Offsets::parse(text).ok_or_else(unread)
}
