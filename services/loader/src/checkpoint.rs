//! The durable position of a collection. It moves only in the transaction that holds its rows, only by its owner, and
//! only forward (D-2).

use std::time::Duration;

use pulseline_sql::{Client, GenericClient};
use tokio_postgres::Row;

use crate::batch::Progress;
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::resume::ResumePoint;
use crate::snapshot::Snapshot;

/// Collections are not split yet: every checkpoint belongs to this one shard.
const SHARD: i32 = 0;

/// Takes a checkpoint over, unless a later owner has it. The row lock orders this against a commit of the previous
/// owner: either the claim sees that commit, or the commit finds the new epoch and writes nothing.
const CLAIM: &str = "insert into ops.checkpoints as c (collection, shard, token, epoch, seq, updated_at) \
    values ($1, $2, null, $3, 0, now()) \
    on conflict (collection, shard) do update set epoch = excluded.epoch, updated_at = now() \
    where c.epoch <= excluded.epoch returning token, seq, snapshot";

const MOVE: &str = "update ops.checkpoints set token = coalesce($5::bytea, token), seq = seq + 1, \
    cluster_time = greatest(cluster_time, timestamptz 'epoch' + $6::bigint * interval '1 millisecond'), \
    caught_up_at = coalesce(timestamptz 'epoch' + $7::bigint * interval '1 millisecond', caught_up_at), \
    snapshot = case when $5::bytea is null then coalesce($8, snapshot) end, updated_at = now() \
    where collection = $1 and shard = $2 and epoch = $3 and seq = $4";

/// The outcome of a claim.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The checkpoint belongs to this loader; with its content.
    Ours(Checkpoint, Box<Claimed>),
    /// Another session holds a lock on it.
    Locked,
}

/// Ownership of one collection's position.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    source: SourceCollection,
    pub(crate) epoch: i64,
    pub(crate) seq: i64,
    /// Where the change stream continues after the snapshot.
    begins: Option<ResumePoint>,
}

/// The content of a checkpoint when it is taken over.
#[derive(Debug, Default)]
pub(crate) struct Claimed {
    /// The durable position; none before the first snapshot, or when its order among the other collections' is unknown.
    pub(crate) position: Option<ResumePoint>,
    /// How far the snapshot has come of a collection without a usable position.
    pub(crate) snapshot: Option<Snapshot>,
}

impl Checkpoint {
    pub(crate) fn new(source: SourceCollection, epoch: i64, seq: i64) -> Self {
        Self {
            source,
            epoch,
            seq,
            begins: None,
        }
    }

    /// Takes the checkpoint over with this epoch. It waits at most `patience` milliseconds for another session's lock,
    /// which must not hold up the other collections.
    pub(crate) async fn claim(
        client: &mut Client,
        source: SourceCollection,
        epoch: i64,
        patience: Duration,
    ) -> Result<Claim, LoaderError> {
        let collection = source.name();
        let row = match Self::lock(client, source, epoch, patience).await {
            Ok(row) => row.ok_or(LoaderError::Claimed { collection, epoch })?,
            Err(error) if error.is_locked() => return Ok(Claim::Locked),
            Err(error) => return Err(error),
        };
        let stored: Option<&[u8]> = row.get(0);
        let position = stored
            .map(ResumePoint::decode)
            .transpose()
            .map_err(|detail| unreadable(source, &detail))?;
        if position == Some(None) {
            tracing::warn!(
                collection,
                "an earlier version stored the position without its place in the stream: it is not used"
            );
        }
        let seq = row.get(1);
        let snapshot: Option<&[u8]> = row.get(2);
        let claimed = Claimed {
            position: position.flatten(),
            snapshot: snapshot.and_then(|stored| Snapshot::decode(stored, seq)),
        };
        Ok(Claim::Ours(Self::new(source, epoch, seq), Box::new(claimed)))
    }

    async fn lock(
        client: &mut Client,
        source: SourceCollection,
        epoch: i64,
        patience: Duration,
    ) -> Result<Option<Row>, LoaderError> {
        let claiming = || LoaderError::statement("taking over a checkpoint");
        let tx = client.transaction().await.map_err(claiming())?;
        let patience = format!("set local lock_timeout = {}", patience.as_millis());
        tx.batch_execute(&patience).await.map_err(claiming())?;
        let row = tx.query_opt(CLAIM, &[&source.name(), &SHARD, &epoch]).await;
        let row = row.map_err(claiming())?;
        tx.commit().await.map_err(claiming())?;
        Ok(row)
    }

    /// Starts a snapshot: the change stream continues from this position afterwards.
    pub(crate) fn begin_snapshot(&mut self, begins: ResumePoint) {
        self.begins = Some(begins);
    }

    /// Sets how far the snapshot has come once this batch is committed.
    fn snapshot(&self, progress: &Progress) -> Result<Option<Vec<u8>>, LoaderError> {
        let (Some(begins), Some(page_position)) = (&self.begins, &progress.page_position) else {
            return Ok(None);
        };
        let snapshot = Snapshot {
            begins: begins.clone(),
            after: Some(page_position.clone()),
        };
        let encoded = snapshot.encode(self.seq + 1);
        encoded
            .map(Some)
            .map_err(|detail| unreadable(self.source, &detail))
    }

    /// Moves the position inside the transaction that holds the rows.
    pub(crate) async fn advance(
        &self,
        client: &impl GenericClient,
        progress: &Progress,
    ) -> Result<(), LoaderError> {
        let position = progress.position.as_ref().map(ResumePoint::encode).transpose();
        let position = position.map_err(|detail| unreadable(self.source, &detail))?;
        let snapshot = self.snapshot(progress)?;
        let collection = self.source.name();
        let moved = client
            .execute(
                MOVE,
                &[
                    &collection,
                    &SHARD,
                    &self.epoch,
                    &self.seq,
                    &position,
                    &progress.cluster_time,
                    &progress.caught_up_at,
                    &snapshot,
                ],
            )
            .await
            .map_err(LoaderError::statement("moving the checkpoint"))?;
        if moved == 1 {
            return Ok(());
        }
        Err(LoaderError::Fenced {
            collection,
            epoch: self.epoch,
            seq: self.seq,
        })
    }

    /// Records that the transaction which called [`Checkpoint::advance`] is committed.
    pub(crate) fn committed(&mut self) {
        self.seq += 1;
    }
}

fn unreadable(source: SourceCollection, detail: &str) -> LoaderError {
    LoaderError::Protocol(format!("{}: {detail}", source.name()))
}

#[cfg(test)]
mod tests;
