//! One screen: what was produced, stored and loaded per stream, and the lag of each hop.

use futures_util::future::BoxFuture;
use pulseline_sql::GenericClient;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::connections::{AuditorConnections, STATUS_LIMIT};
use crate::error::AuditError;
use crate::kafka::{self, Ends, Partition};
use crate::warehouse::{Accounted, accounted};

const POSITIONS: &str = "select collection, epoch, seq, \
    extract(epoch from clock_timestamp() - updated_at)::double precision, \
    extract(epoch from clock_timestamp() - greatest(caught_up_at, cluster_time))::double precision, token is not null \
    from ops.checkpoints order by collection";
const BACKLOG: &str = "select (select count(*) from ops.dirty_days), (select count(*) from ops.dirty_user_days), \
    (select count(*) from ops.waiting_days), \
    (select count(*) from ops.dead_letters where resolved_at is null), (select count(*) from ops.accounted_log), \
    (select extract(epoch from clock_timestamp() - max(started_at))::double precision from ops.compactions)";

/// A topic's way through the stores, in messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// Kafka topic.
    pub topic: String,
    /// Acknowledged by Kafka.
    pub produced: i64,
    /// Committed by the sink: durable in MongoDB.
    pub stored: i64,
    /// Rows in raw.
    pub loaded: i64,
    /// The same event at another offset.
    pub duplicate: i64,
    /// Offsets without a message.
    pub void: i64,
    /// Dead letters.
    pub dead: i64,
    /// Removed for a person who asked.
    pub erased: i64,
    /// Produced, and not dealt with yet, or lost.
    pub unaccounted: i64,
}

/// Position of the loader in a collection.
#[derive(Clone, Debug, Serialize)]
pub struct Position {
    /// MongoDB collection.
    pub collection: String,
    /// Epoch of the loader that moved it last.
    pub epoch: i64,
    /// Commits so far.
    pub seq: i64,
    /// Seconds since it moved.
    pub moved_seconds: Option<f64>,
    /// Seconds since the loader knew that nothing more was there.
    pub lag_seconds: Option<f64>,
    /// False until the first snapshot is complete.
    pub has_token: bool,
}

/// The state of all stores.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// Per topic.
    pub flows: Vec<Flow>,
    /// Per collection.
    pub positions: Vec<Position>,
    /// Days whose aggregates are to be refreshed.
    pub dirty_days: i64,
    /// Days of people whose figures are to be computed.
    pub dirty_user_days: i64,
    /// Changed days that are still open: shown in real time, refreshed once they have closed.
    pub waiting_days: i64,
    /// Dead letters in the warehouse, single readings included.
    pub dead_letters: i64,
    /// Rows of the accounting's log that are not folded yet.
    pub unfolded: i64,
    /// Seconds since the last refresh.
    pub last_refresh_seconds: Option<f64>,
    /// What could not be asked.
    pub unreachable: Vec<String>,
}

impl Status {
    /// Messages that Kafka has acknowledged.
    #[must_use]
    pub fn produced(&self) -> i64 {
        self.flows.iter().map(|flow| flow.produced).sum()
    }

    /// Messages that are produced and not dealt with.
    #[must_use]
    pub fn unaccounted(&self) -> i64 {
        self.flows.iter().map(|flow| flow.unaccounted).sum()
    }

    /// True when everything that was produced is dealt with and refreshed.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.unreachable.is_empty() && self.unaccounted() == 0 && self.dirty_days + self.dirty_user_days == 0
    }
}

/// Asks Kafka and the warehouse. `unreachable` names a server that does not answer.
pub fn status(connections: &AuditorConnections) -> BoxFuture<'_, Status> {
    Box::pin(async move {
        let asked = async { ops_tables(&connections.warehouse(STATUS_LIMIT).await?).await };
        let (ends, ops_tables) = tokio::join!(kafka::ends(connections), asked);
        gathered(ends, ops_tables).0
    })
}

/// Offsets of every partition: where Kafka ends, and what the ops tables say.
pub(crate) type Known = (BTreeMap<Partition, Ends>, BTreeMap<Partition, Accounted>);

/// What was learned, and from whom nothing was.
pub(crate) fn gathered(
    ends: Result<BTreeMap<Partition, Ends>, AuditError>,
    ops_tables: Result<(BTreeMap<Partition, Accounted>, Status), AuditError>,
) -> (Status, Known) {
    let mut unreachable = Vec::new();
    let ends = ends.unwrap_or_else(|error| {
        unreachable.push(error.to_string());
        BTreeMap::new()
    });
    let (accounted, read) = ops_tables.unwrap_or_else(|error| {
        unreachable.push(error.to_string());
        (BTreeMap::new(), Status::default())
    });
    let flows = flows(&ends, &accounted);
    let status = Status {
        flows,
        unreachable,
        ..read
    };
    (status, (ends, accounted))
}

/// What the warehouse knows, in two short statements and one over the ops tables.
pub(crate) async fn ops_tables(
    client: &pulseline_sql::Client,
) -> Result<(BTreeMap<Partition, Accounted>, Status), AuditError> {
    let accounted = accounted(client).await?;
    let backlog = client.query_one(BACKLOG, &[]).await?;
    let positions = client.query(POSITIONS, &[]).await?;
    let position = |row: &tokio_postgres::Row| Position {
        collection: row.get(0),
        epoch: row.get(1),
        seq: row.get(2),
        moved_seconds: row.get(3),
        lag_seconds: row.get(4),
        has_token: row.get(5),
    };
    let status = Status {
        positions: positions.iter().map(position).collect(),
        dirty_days: backlog.get(0),
        dirty_user_days: backlog.get(1),
        waiting_days: backlog.get(2),
        dead_letters: backlog.get(3),
        unfolded: backlog.get(4),
        last_refresh_seconds: backlog.get(5),
        ..Status::default()
    };
    Ok((accounted, status))
}

fn flows(ends: &BTreeMap<Partition, Ends>, accounted: &BTreeMap<Partition, Accounted>) -> Vec<Flow> {
    let mut flows: Vec<Flow> = kafka::topics()
        .map(|topic| Flow {
            topic: topic.to_owned(),
            ..Flow::default()
        })
        .collect();
    for flow in &mut flows {
        for ((_, partition), ends) in ends.iter().filter(|((topic, _), _)| *topic == flow.topic) {
            flow.produced += ends.end;
            flow.stored += ends.committed.min(ends.end);
            let ops_tables = accounted
                .get(&(flow.topic.clone(), *partition))
                .cloned()
                .unwrap_or_default();
            flow.loaded += ops_tables.loaded();
            flow.duplicate += ops_tables.duplicate.count();
            flow.void += ops_tables.void.count();
            flow.dead += ops_tables.dead.count();
            flow.erased += ops_tables.erased.count();
            flow.unaccounted += ops_tables
                .offsets
                .holes(ends.end)
                .iter()
                .map(|hole| hole.end - hole.start)
                .sum::<i64>();
        }
    }
    flows
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [
            "topic",
            "produced",
            "stored",
            "loaded",
            "duplicate",
            "void",
            "dead",
            "erased",
            "unaccounted",
        ];
        writeln!(
            f,
            "{:<22}{}",
            head[0],
            head[1..]
                .iter()
                .map(|name| format!("{name:>12}"))
                .collect::<String>()
        )?;
        for flow in &self.flows {
            let numbers = [
                flow.produced,
                flow.stored,
                flow.loaded,
                flow.duplicate,
                flow.void,
                flow.dead,
                flow.erased,
                flow.unaccounted,
            ];
            writeln!(
                f,
                "{:<22}{}",
                flow.topic,
                numbers.map(|number| format!("{number:>12}")).concat()
            )?;
        }
        writeln!(f)?;
        let seconds =
            |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1} s"));
        for position in &self.positions {
            let state = if position.has_token {
                ""
            } else {
                "  first snapshot"
            };
            writeln!(
                f,
                "{:<22}moved {:>8} ago   lag {:>8}   commits {}   epoch {}{state}",
                position.collection,
                seconds(position.moved_seconds),
                seconds(position.lag_seconds),
                position.seq,
                position.epoch
            )?;
        }
        writeln!(
            f,
            "\ndirty days {}   dirty days of people {}   waiting days {}   dead letters {}   last refresh {} ago",
            self.dirty_days,
            self.dirty_user_days,
            self.waiting_days,
            self.dead_letters,
            seconds(self.last_refresh_seconds)
        )?;
        self.unreachable
            .iter()
            .try_for_each(|reason| writeln!(f, "not reached: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offsets::Offsets;

    #[test]
    fn d_4_each_offset_counts_once() {
        let topic = "fitbit.steps".to_owned();
        let ends = BTreeMap::from([(
            (topic.clone(), 0),
            Ends {
                end: 10,
                committed: 9,
            },
        )]);
        let offsets = Offsets::parse("{[0,4),[5,9)}").unwrap();
        let ops_tables = Accounted {
            incarnation: 0,
            offsets,
            duplicate: Offsets::parse("{[0,1)}").unwrap(),
            void: Offsets::parse("{[1,2)}").unwrap(),
            dead: Offsets::parse("{[5,7)}").unwrap(),
            erased: Offsets::default(),
        };
        let flows = flows(&ends, &BTreeMap::from([((topic.clone(), 0), ops_tables)]));
        let flow = flows.iter().find(|flow| flow.topic == topic).unwrap();
        assert_eq!(
            (flow.loaded, flow.duplicate, flow.dead, flow.unaccounted),
            (4, 1, 2, 2)
        );
        assert_eq!(
            flow.produced,
            flow.loaded + flow.duplicate + flow.void + flow.dead + flow.erased + flow.unaccounted
        );
    }
}
