//! Resolves dead letters.

use futures_util::future::BoxFuture;
use pulseline_sql::{Client, GenericClient};

use crate::dead_letters::error::DeadLettersError;
use crate::dead_letters::find::{Selection, list};

const RESOLVE: &str = "update ops.dead_letters set resolved_at = clock_timestamp(), resolution = $3, why = $4 \
    where origin = $1 and item = $2 and resolved_at is null";

/// Records that a dead letter was replayed or discarded; false when it was resolved before.
pub(crate) async fn resolve(
    client: &impl GenericClient,
    (origin, item): (&str, i32),
    resolution: &str,
    why: Option<&str>,
) -> Result<bool, DeadLettersError> {
    let changed = client
        .execute(RESOLVE, &[&origin, &item, &resolution, &why])
        .await?;
    Ok(changed == 1)
}

/// Discards unresolved dead letters; returns how many. Their rows stay, with the reason.
///
/// # Errors
/// Errors of the warehouse, or a selection of nothing in particular.
pub fn discard<'a>(
    client: &'a Client,
    selection: &'a Selection,
    why: &'a str,
) -> BoxFuture<'a, Result<usize, DeadLettersError>> {
    Box::pin(async move {
        if selection.is_all() {
            return Err(DeadLettersError::NoSelection);
        }
        let (dead_letters, _) = list(client, selection, i64::MAX).await?;
        let mut discarded = 0;
        for dead_letter in &dead_letters {
            let key = (dead_letter.origin.as_str(), dead_letter.item);
            discarded += usize::from(resolve(client, key, "discarded", Some(why)).await?);
        }
        Ok(discarded)
    })
}
