//! Measures how far the new warehouse is behind the one in use.

use std::time::{Duration, Instant};

use pulseline_runtime::retry::{Class, Classify};
use pulseline_sql::{Client, GenericClient, query};
use serde::Serialize;

use crate::rebuilder::connection::open;
use crate::rebuilder::error::RebuilderError;
use crate::rebuilder::settings::{POLL, Rebuilder};

/// Offsets that may be in flight when the last comparison begins: with live data they are never all loaded.
const NEAR_OFFSETS: i64 = 10_000;
/// Age in seconds of a pending change above which there still is a backlog.
const NEAR_SECONDS: f64 = 30.0;

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
    let row = client.query_one(query!("rebuilder/standing"), &[]).await?;
    Ok(Standing {
        offsets: row.get(0),
        built: row.get(1),
        unread: row.get(2),
        oldest_seconds: row.get(3),
    })
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
