//! Writes dead letters: into their collection first, so that MongoDB has all that the warehouse has, then into the
//! warehouse, in the rows' transaction. Both in bulk: a fleet with a wrong clock sends tens of thousands in one batch.

use pulseline_sql::GenericClient;
use tokio_postgres::types::ToSql;

use super::expected::Expected;
use super::warehouse::DeadLetterStore;
use crate::dead_letter::{DeadLetter, Stage, parts};
use crate::document::SourceCollection;
use crate::error::LoaderError;

/// Dead letters per statement.
const MOST: usize = 10_000;
/// Approximate bytes per statement; one dead letter may be larger.
const MOST_BYTES: usize = 4 << 20;

const INSERT: &str = pulseline_sql::query!("loader/insert_dead_letters");

/// Stores the loader's own new dead letters. `expected` learns which of them return through the
/// collection.
pub(super) async fn store(
    source: SourceCollection,
    store: &dyn DeadLetterStore,
    dead_letters: &mut [DeadLetter],
    expected: Option<&Expected>,
) -> Result<(), LoaderError> {
    let new: Vec<&DeadLetter> = dead_letters
        .iter()
        .filter(|dead_letter| dead_letter.stage == Stage::New)
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    for part in parts(&new, MOST, MOST_BYTES) {
        if let Some(expected) = expected {
            expected.add(part.iter().map(|dead_letter| dead_letter.id()));
        }
        store.store(part).await?;
        tracing::debug!(
            collection = source.name(),
            dead_letters = part.len(),
            "dead letters stored"
        );
    }
    for dead_letter in dead_letters
        .iter_mut()
        .filter(|dead_letter| dead_letter.stage == Stage::New)
    {
        dead_letter.stage = Stage::Stored;
    }
    Ok(())
}

/// Writes dead letters to the warehouse; an existing one stays as it is.
pub(super) async fn insert(
    client: &impl GenericClient,
    dead_letters: &[DeadLetter],
) -> Result<(), LoaderError> {
    // Sorted, as in every writer: two of them never deadlock.
    let mut sorted: Vec<&DeadLetter> = dead_letters.iter().collect();
    sorted.sort_unstable_by_key(|dead_letter| (&dead_letter.origin, dead_letter.item));
    for part in parts(&sorted, MOST, MOST_BYTES) {
        insert_part(client, part).await?;
    }
    Ok(())
}

async fn insert_part(client: &impl GenericClient, dead_letters: &[&DeadLetter]) -> Result<(), LoaderError> {
    let texts = |of: fn(&DeadLetter) -> &str| {
        dead_letters
            .iter()
            .map(|dead_letter| of(dead_letter))
            .collect::<Vec<_>>()
    };
    let bytes = |of: fn(&DeadLetter) -> Option<&[u8]>| {
        dead_letters
            .iter()
            .map(|dead_letter| of(dead_letter))
            .collect::<Vec<_>>()
    };
    let positions = || {
        dead_letters
            .iter()
            .map(|dead_letter| dead_letter.position.as_ref())
    };
    let items: Vec<i32> = dead_letters.iter().map(|dead_letter| dead_letter.item).collect();
    let streams: Vec<Option<&str>> = dead_letters
        .iter()
        .map(|dead_letter| dead_letter.stream.as_deref())
        .collect();
    let topics: Vec<Option<&str>> = positions().map(|at| at.map(|at| at.topic.as_str())).collect();
    let incarnations: Vec<Option<i32>> = positions().map(|at| at.map(|at| at.incarnation)).collect();
    let partitions: Vec<Option<i32>> = positions().map(|at| at.map(|at| at.partition)).collect();
    let offsets: Vec<Option<i64>> = positions().map(|at| at.map(|at| at.offset)).collect();
    let created: Vec<i64> = dead_letters
        .iter()
        .map(|dead_letter| dead_letter.created_at)
        .collect();
    let values: [&(dyn ToSql + Sync); 13] = [
        &texts(|dead_letter| &dead_letter.origin),
        &items,
        &streams,
        &topics,
        &incarnations,
        &partitions,
        &offsets,
        &bytes(|dead_letter| dead_letter.message_key.as_deref()),
        &bytes(|dead_letter| dead_letter.payload.as_deref()),
        &texts(|dead_letter| &dead_letter.reason),
        &texts(|dead_letter| &dead_letter.detail),
        &texts(|dead_letter| &dead_letter.program_version),
        &created,
    ];
    let inserted = client.execute(INSERT, &values).await;
    inserted
        .map(drop)
        .map_err(LoaderError::statement("writing dead letters"))
}
