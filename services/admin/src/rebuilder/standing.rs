//! Measures how far the new warehouse is behind the one in use.

use std::time::{Duration, Instant};

use pulseline_runtime::retry::{Class, Classify};
use pulseline_sql::{Client, GenericClient};
use serde::Serialize;

use crate::rebuilder::build::open;
use crate::rebuilder::error::RebuilderError;
use crate::rebuilder::settings::{POLL, Rebuilder};

/// Offsets that may be in flight when the last comparison begins: with live data they are never all loaded.
const NEAR_OFFSETS: i64 = 10_000;
/// Age in seconds of a pending change above which there still is a backlog.
const NEAR_SECONDS: f64 = 30.0;
/// One row: offsets of the warehouse in use, those also in the new one, collections not read to their end, the age
/// of the oldest pending change.
const STANDING: &str = "with of as ( \
        select sum(c.old)::bigint as old, sum(c.new)::bigint as new from ( \
            select counted(o.offsets) as old, counted(o.offsets * coalesce(n.offsets, '{}')) as new \
            from ops.accounted_offsets o left join next_ops.accounted_offsets n using (topic, generation, partition)) c \
    ) select coalesce(old, 0), coalesce(new, 0), \
        (select count(*) from ops.checkpoints o left join next_ops.checkpoints n using (collection, shard) \
            where o.token is not null and n.token is null), \
        coalesce((select extract(epoch from clock_timestamp() - min(marked_at)) from next_ops.dirty_days), 0)::double precision \
    from of";
/// How many offsets a multirange holds.
const COUNTED: &str = "(select coalesce(sum(upper(part) - lower(part)), 0) from unnest(MULTIRANGE) part)";

/// The progress of the new warehouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Standing {
    /// Offsets accounted for in the warehouse in use.
    pub offsets: i64,
    /// Of these: also in the new one.
    pub built: i64,
    /// Collections not read to their end yet.
    pub unread: i64,
    /// Seconds that the oldest change has waited for its refresh.
    pub oldest_seconds: f64,
}

impl Standing {
    fn is_near(&self) -> bool {
        self.unread == 0 && self.offsets - self.built <= NEAR_OFFSETS && self.oldest_seconds < NEAR_SECONDS
    }
}

/// Waits until it has nearly caught up, or for a stop; returns its number of offsets.
pub(crate) async fn caught_up(
    rebuilder: &Rebuilder,
    tell: &(dyn Fn(Standing) + Send + Sync),
) -> Result<i64, RebuilderError> {
    let mut client = open(rebuilder).await?;
    let mut built = 0;
    loop {
        let began = Instant::now();
        match read_standing(&client).await {
            Ok(standing) => {
                tell(standing);
                built = standing.built;
                if standing.is_near() {
                    return Ok(built);
                }
            }
            Err(error) if error.class() == Class::Transient => client = open(rebuilder).await?,
            Err(error) => return Err(error),
        }
        // Measuring takes a share of the time, never most of it.
        let pause: Duration = POLL.max(10 * began.elapsed());
        if !rebuilder.shutdown().sleep(pause).await {
            return Ok(built);
        }
    }
}

async fn read_standing(client: &Client) -> Result<Standing, RebuilderError> {
    let sql = STANDING
        .replace(
            "counted(o.offsets * coalesce(n.offsets, '{}'))",
            &counted("o.offsets * coalesce(n.offsets, '{}')"),
        )
        .replace("counted(o.offsets)", &counted("o.offsets"));
    let row = client.query_one(&sql, &[]).await?;
    Ok(Standing {
        offsets: row.get(0),
        built: row.get(1),
        unread: row.get(2),
        oldest_seconds: row.get(3),
    })
}

fn counted(multirange: &str) -> String {
    COUNTED.replace("MULTIRANGE", multirange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_caught_up_when_only_what_streams_in_is_missing() {
        let near = Standing {
            offsets: 1_000_000,
            built: 999_000,
            unread: 0,
            oldest_seconds: 2.0,
        };
        assert!(near.is_near());
        assert!(!Standing { unread: 1, ..near }.is_near());
        assert!(
            !Standing {
                built: 900_000,
                ..near
            }
            .is_near()
        );
        assert!(
            !Standing {
                oldest_seconds: 300.0,
                ..near
            }
            .is_near()
        );
    }
}
