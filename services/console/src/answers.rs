//! Answers queries one at a time, and caches each answer for two seconds.

use std::time::Instant;

use bytes::Bytes;
use pulseline_admin::dead_letters::{self, DeadLettersError, Selection};
use pulseline_compactor::{CompactorConfig, CompactorError};
use pulseline_runtime::clock::Clock;
use pulseline_sql::Client;
use pulseline_sql::SqlError;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::cache::Cache;
use crate::metrics;
use crate::people;
use crate::question::Question;
use crate::warehouse::{PATIENCE, Warehouse};

/// Rows of the compactor's journal to show.
const JOURNAL_LINES: i64 = 60;
/// Dead letters to show; filters find the others.
const DEAD_LETTERS: i64 = 200;

/// A failed query.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("TimescaleDB: {0}")]
    Sql(#[from] SqlError),
    #[error(transparent)]
    DeadLetters(#[from] DeadLettersError),
    #[error(transparent)]
    Compactor(#[from] CompactorError),
    #[error("the answer cannot be encoded as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("TimescaleDB: no answer in time")]
    Late,
}

impl From<tokio_postgres::Error> for Unanswered {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}

/// The source of answers.
#[derive(Debug)]
pub(crate) struct Answers {
    warehouse: Warehouse,
    compactor: CompactorConfig,
    clock: Clock,
    /// Locked while a query runs: the next one waits, and often finds its answer cached.
    cache: Mutex<Cache<Question, Bytes>>,
}

impl Answers {
    pub(crate) fn new(warehouse: Warehouse, compactor: CompactorConfig) -> Self {
        Self {
            warehouse,
            compactor,
            clock: Clock::system(),
            cache: Mutex::default(),
        }
    }

    /// The answer as JSON.
    pub(crate) async fn answer(&self, question: Question) -> Result<Bytes, Unanswered> {
        let mut cache = self.cache.lock().await;
        if let Some(answer) = cache.get(&question, Instant::now()) {
            return Ok(answer);
        }
        let answered = self.ask(&question).await;
        metrics::record_question(answered.is_ok());
        let answer = Bytes::from(serde_json::to_vec(&answered?)?);
        cache.put(question, answer.clone(), Instant::now());
        Ok(answer)
    }

    /// Discards cached answers after a change.
    pub(crate) async fn forget(&self) {
        self.cache.lock().await.clear();
    }

    /// Cancelled when it takes too long, or when the browser disconnects.
    async fn ask(&self, question: &Question) -> Result<Value, Unanswered> {
        let client = self.warehouse.client().await.ok_or(Unanswered::Late)??;
        let asked = Box::pin(self.asked(&client, question));
        client
            .within(PATIENCE, asked)
            .await
            .map_err(|_| Unanswered::Late)?
    }

    async fn asked(&self, client: &Client, question: &Question) -> Result<Value, Unanswered> {
        Ok(match question {
            Question::Compactor => json!({
                "plan": pulseline_compactor::preview_with(&self.compactor, client, &self.clock).await?,
                "journal": pulseline_compactor::journal(client, JOURNAL_LINES).await?,
            }),
            Question::DeadLetters {
                reason,
                stream,
                with_resolved,
            } => {
                let selection = Selection {
                    reason: reason.clone(),
                    stream: stream.clone(),
                    with_resolved: *with_resolved,
                    ..Selection::default()
                };
                let kinds = dead_letters::kinds(client, *with_resolved).await?;
                let (dead_letters, count) = dead_letters::list(client, &selection, DEAD_LETTERS).await?;
                json!({ "letters": dead_letters, "count": count, "kinds": kinds })
            }
            Question::DeadLetter { origin } => {
                let found = dead_letters::find(client, origin).await?;
                let shown = found.iter().map(|(dead_letter, payload)| {
                    let text = dead_letters::show(dead_letter, payload.as_deref());
                    json!({ "letter": dead_letter, "shown": text })
                });
                json!({ "letters": shown.collect::<Vec<_>>() })
            }
            Question::People => json!({ "people": people::people(client).await? }),
            Question::Person { user, from, to } => json!(people::days(client, *user, *from, *to).await?),
        })
    }
}
