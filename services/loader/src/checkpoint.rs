//! The durable position of a collection: moved only in the transaction that holds its rows, only by its owner,
//! only forward (D-2).

use std::time::Duration;

use pulseline_sql::{Client, GenericClient};
use tokio_postgres::Row;

use crate::batch::Progress;
use crate::error::LoaderError;
use crate::map::SourceCollection;
use crate::resume::ResumePoint;
use crate::snapshot::Snapshot;

/// Collections are not split yet: every checkpoint is of the one shard.
const SHARD: i32 = 0;

/// Takes a checkpoint over, unless a later owner has it. The row lock orders this against a commit of the owner
/// before: either that commit is seen here, or it finds the new epoch and writes nothing.
const CLAIM: &str = "insert into ops.checkpoints as c (collection, shard, token, epoch, seq, updated_at) \
    values ($1, $2, null, $3, 0, now()) \
    on conflict (collection, shard) do update set epoch = excluded.epoch, updated_at = now() \
    where c.epoch <= excluded.epoch returning token, seq, snapshot";

const MOVE: &str = "update ops.checkpoints set token = coalesce($5::bytea, token), seq = seq + 1, \
    cluster_time = greatest(cluster_time, timestamptz 'epoch' + $6::bigint * interval '1 millisecond'), \
    caught_up_at = coalesce(timestamptz 'epoch' + $7::bigint * interval '1 millisecond', caught_up_at), \
    snapshot = case when $5::bytea is null then coalesce($8, snapshot) end, updated_at = now() \
    where collection = $1 and shard = $2 and epoch = $3 and seq = $4";

/// What became of a claim.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It is ours; with what it says.
    Ours(Checkpoint, Box<Claimed>),
    /// Another session holds it locked.
    Locked,
}

/// Ownership of one collection's position.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    source: SourceCollection,
    epoch: i64,
    seq: i64,
    /// Where the change stream goes on, while the collection is read as a whole.
    begins: Option<ResumePoint>,
}

/// What a checkpoint says when it is taken over.
#[derive(Debug, Default)]
pub(crate) struct Claimed {
    /// The durable position: none before the first snapshot, or when it cannot be told where among the other collections' it is.
    pub(crate) position: Option<ResumePoint>,
    /// How far the collection is read that has no position yet, or none of use.
    pub(crate) snapshot: Option<Snapshot>,
}

impl Checkpoint {
    /// Takes the checkpoint over with this epoch. A lock that another session holds on it is waited for as long as `patience`
    /// says, in milliseconds: it must not hold up the other collections.
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
                "an earlier version stored no place with the position: it is not used"
            );
        }
        let seq = row.get(1);
        let snapshot: Option<&[u8]> = row.get(2);
        let claimed = Claimed {
            position: position.flatten(),
            snapshot: snapshot.and_then(|stored| Snapshot::decode(stored, seq)),
        };
        let checkpoint = Self {
            source,
            epoch,
            seq,
            begins: None,
        };
        Ok(Claim::Ours(checkpoint, Box::new(claimed)))
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

    /// The collection is read as a whole: the change stream goes on here afterwards.
    pub(crate) fn begin_snapshot(&mut self, begins: ResumePoint) {
        self.begins = Some(begins);
    }

    /// How far the collection is read once this is committed.
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

    /// The transaction that called [`Checkpoint::advance`] is committed.
    pub(crate) fn committed(&mut self) {
        self.seq += 1;
    }
}

fn unreadable(source: SourceCollection, detail: &str) -> LoaderError {
    LoaderError::Protocol(format!("{}: {detail}", source.name()))
}
