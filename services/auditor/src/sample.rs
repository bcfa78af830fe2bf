//! Compares a random sample: one stored relation over one day.

use futures_util::future::BoxFuture;
use pulseline_sql::floor::floor;
use pulseline_sql::periods::DayNumber;
use pulseline_sql::{Client, GenericClient};

use crate::error::AuditError;
use crate::layers;
use crate::stale::Stale;

/// The result of a sample.
#[derive(Clone, Debug)]
pub struct Sample {
    /// A continuous aggregate, the heart rates of sleeps, or the days of people: views cannot become stale.
    pub relation: String,
    /// Which day of it.
    pub day: DayNumber,
    /// Rows that differ, the first few.
    pub differences: Vec<String>,
    /// Days of devices that are wrong: [`mark_stale`](crate::mark_stale) marks them.
    pub stale: Vec<Stale>,
}

/// Recomputes a stored relation over a loaded day; `draw` chooses both. None when nothing was loaded.
///
/// # Errors
/// What the warehouse says.
pub fn sample(client: &mut Client, draw: u64) -> BoxFuture<'_, Result<Option<Sample>, AuditError>> {
    Box::pin(async move {
        let stored = layers::stored();
        let Some((check, draw)) = drawn(&stored, draw) else {
            return Ok(None);
        };
        let floor = floor(client).await?;
        let sql = "select distinct local_date - date '1970-01-01' from ops.loaded_days where stream = any($1) order by 1";
        let loaded = client.query(sql, &[&check.streams()]).await?;
        let days = loaded.iter().map(|row| row.get::<_, DayNumber>(0));
        let days: Vec<_> = days
            .filter(|day| !check.above(floor, *day..day + 1).is_empty())
            .collect();
        let Some((&day, _)) = drawn(&days, draw) else {
            return Ok(None);
        };
        let compared = layers::compare(client, check, &(day..day + 1)).await?;
        Ok(Some(Sample {
            relation: check.relation.clone(),
            day,
            differences: compared.differences,
            stale: compared.stale.into_iter().collect(),
        }))
    })
}

/// One of these, and what is left of the draw for the next choice.
fn drawn<T>(of: &[T], draw: u64) -> Option<(&T, u64)> {
    let count = u64::try_from(of.len()).ok().filter(|count| *count > 0)?;
    let index = usize::try_from(draw % count).ok()?;
    Some((of.get(index)?, draw / count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stored_relation_is_drawn() {
        let stored: Vec<String> = layers::stored().into_iter().map(|check| check.relation).collect();
        assert_eq!(stored.len(), 10, "{stored:?}");
        let all: std::collections::BTreeSet<_> = (0..10)
            .filter_map(|draw| drawn(&stored, draw))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(all.len(), 10);
        assert_eq!(drawn(&[1, 2, 3], 7), Some((&2, 2)));
        assert_eq!(drawn::<u8>(&[], 7), None);
    }
}
