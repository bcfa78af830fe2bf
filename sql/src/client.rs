//! A connection to one of the warehouses of a database.
//!
//! Statements say `raw.`, `stage.`, `agg.`, `ops.`; under a prefix, the client replaces these names. So the same
//! services fill and check a warehouse that is built beside the one in use.

use std::future::Future;
use std::time::Duration;

use bytes::Buf;
use tokio::time::error::Elapsed;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CopyInSink, Error, IsolationLevel, Row, Statement};

use crate::cancel::Canceller;
use crate::prepared::Prepared;
use crate::schemas::Schemas;
use crate::typed::Typed;

/// A connection to one warehouse.
#[derive(Debug)]
pub struct Client {
    inner: tokio_postgres::Client,
    schemas: Schemas,
    prepared: Prepared,
    /// Longest that a statement may run; only a reader has this limit, and then needs no session.
    limit: Option<Duration>,
    canceller: Canceller,
}

/// A transaction in one warehouse; rolled back unless committed.
pub struct Transaction<'a> {
    inner: tokio_postgres::Transaction<'a>,
    schemas: &'a Schemas,
    prepared: &'a Prepared,
    typed: Option<Typed>,
}

/// What runs statements: a connection, or a transaction.
pub trait GenericClient: Sync {
    /// What sends them.
    type Inner: tokio_postgres::GenericClient + Sync;

    /// What sends statements as they stand, whatever the warehouse.
    fn bare(&self) -> &Self::Inner;

    /// The schemas that statements reach.
    fn schemas(&self) -> &Schemas;

    /// Statements that the connection has prepared.
    fn prepared(&self) -> &Prepared;

    /// How statements are sent where no session can be relied on; none where they are prepared.
    fn typed(&self) -> Option<Typed>;

    /// Prepares a statement for this warehouse; a repeated text is prepared once.
    ///
    /// # Errors
    /// What the server says.
    fn statement(&self, text: &str) -> impl Future<Output = Result<Statement, Error>> + Send {
        async move {
            let text = self.schemas().qualify(text);
            self.prepared().statement(self.bare(), &text).await
        }
    }

    /// All rows of a statement.
    ///
    /// # Errors
    /// What the server says.
    fn query(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send {
        async move {
            let said = if let Some(typed) = self.typed() {
                typed
                    .query(self.bare(), &self.schemas().qualify(statement), values)
                    .await
            } else {
                let statement = self.statement(statement).await?;
                tokio_postgres::GenericClient::query(self.bare(), &statement, values).await
            };
            self.prepared().heed(said)
        }
    }

    /// The row of a statement that has exactly one.
    ///
    /// # Errors
    /// What the server says; another number of rows.
    fn query_one(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Row, Error>> + Send {
        async move {
            let said = if let Some(typed) = self.typed() {
                typed
                    .query_one(self.bare(), &self.schemas().qualify(statement), values)
                    .await
            } else {
                let statement = self.statement(statement).await?;
                tokio_postgres::GenericClient::query_one(self.bare(), &statement, values).await
            };
            self.prepared().heed(said)
        }
    }

    /// The row of a statement that has one or none.
    ///
    /// # Errors
    /// What the server says; more rows, except to a reader, who gets the first.
    fn query_opt(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Option<Row>, Error>> + Send {
        async move {
            if self.typed().is_some() {
                return Ok(self.query(statement, values).await?.into_iter().next());
            }
            let statement = self.statement(statement).await?;
            let said = tokio_postgres::GenericClient::query_opt(self.bare(), &statement, values).await;
            self.prepared().heed(said)
        }
    }

    /// Runs a statement; returns the number of rows it changed.
    ///
    /// # Errors
    /// What the server says.
    fn execute(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        async move {
            let said = if let Some(typed) = self.typed() {
                typed
                    .execute(self.bare(), &self.schemas().qualify(statement), values)
                    .await
            } else {
                let statement = self.statement(statement).await?;
                tokio_postgres::GenericClient::execute(self.bare(), &statement, values).await
            };
            self.prepared().heed(said)
        }
    }

    /// Runs statements without parameters, separated by semicolons.
    ///
    /// # Errors
    /// What the server says.
    fn batch_execute(&self, statements: &str) -> impl Future<Output = Result<(), Error>> + Send {
        async move {
            let statements = self.schemas().qualify(statements);
            let said = tokio_postgres::GenericClient::batch_execute(self.bare(), &statements).await;
            self.prepared().heed(said)
        }
    }
}

impl GenericClient for Client {
    type Inner = tokio_postgres::Client;

    fn bare(&self) -> &Self::Inner {
        &self.inner
    }

    fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    fn typed(&self) -> Option<Typed> {
        self.limit.map(|limit| Typed { limit: Some(limit) })
    }
}

impl<'a> GenericClient for Transaction<'a> {
    type Inner = tokio_postgres::Transaction<'a>;

    fn bare(&self) -> &Self::Inner {
        &self.inner
    }

    fn schemas(&self) -> &Schemas {
        self.schemas
    }

    fn prepared(&self) -> &Prepared {
        self.prepared
    }

    fn typed(&self) -> Option<Typed> {
        self.typed
    }
}

impl Client {
    pub(crate) fn new(inner: tokio_postgres::Client, schemas: Schemas, canceller: Canceller) -> Self {
        Self {
            inner,
            schemas,
            prepared: Prepared::default(),
            limit: None,
            canceller,
        }
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// What the server says.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        let begun = self.inner.transaction().await?;
        started(begun, (&self.schemas, &self.prepared), self.limit).await
    }

    /// Begins a read-only transaction with one snapshot. Its statements are planned with their values: a plan for any day
    /// would lock every chunk.
    ///
    /// # Errors
    /// What the server says.
    pub async fn snapshot(&mut self) -> Result<Transaction<'_>, Error> {
        let builder = self.inner.build_transaction();
        let builder = builder
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true);
        let begun = builder.start().await?;
        let snapshot = started(begun, (&self.schemas, &self.prepared), self.limit).await?;
        Ok(Transaction {
            typed: Some(Typed { limit: None }),
            ..snapshot
        })
    }

    /// Limits every later statement to this time, without using a session: a pooler may run each on another
    /// connection.
    pub(crate) fn only_reads(&mut self, limit: Duration) {
        self.limit = Some(limit);
    }

    /// Waits for work on this connection, at most this long. Work that times out, or whose future is dropped, is cancelled
    /// at the server; the connection then counts as closed, because the cancel request might arrive
    /// late and hit the next statement. Only for a connection that does one thing at a time.
    ///
    /// # Errors
    /// When the work takes longer.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        self.canceller.within(limit, work).await
    }

    /// True once the connection has ended, a statement on it was abandoned, or it is unusable: its server was demoted,
    /// or a pooler exchanged it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.canceller.has_given_up() || self.inner.is_closed() || self.prepared.is_spent()
    }

    /// The underlying client, which sends statements unchanged.
    #[must_use]
    pub fn into_bare(self) -> tokio_postgres::Client {
        self.inner
    }

    /// Directs later statements to that warehouse of the same database.
    pub fn use_schemas(&mut self, schemas: Schemas) {
        self.schemas = schemas;
    }
}

async fn started<'a>(
    inner: tokio_postgres::Transaction<'a>,
    (schemas, prepared): (&'a Schemas, &'a Prepared),
    limit: Option<Duration>,
) -> Result<Transaction<'a>, Error> {
    if let Some(limit) = limit {
        inner.batch_execute(&Typed::settings(limit)).await?;
    }
    Ok(Transaction {
        inner,
        schemas,
        prepared,
        typed: limit.map(|_| Typed { limit: None }),
    })
}

impl Transaction<'_> {
    /// Copies rows in.
    ///
    /// # Errors
    /// What the server says.
    pub async fn copy_in<B: Buf + Send + 'static>(&self, statement: &str) -> Result<CopyInSink<B>, Error> {
        let statement = self.statement(statement).await?;
        self.prepared.heed(self.inner.copy_in(&statement).await)
    }

    /// Commits.
    ///
    /// # Errors
    /// What the server says; when the connection was lost, the outcome is unknown.
    pub async fn commit(self) -> Result<(), Error> {
        self.inner.commit().await
    }

    /// Rolls back.
    ///
    /// # Errors
    /// What the server says.
    pub async fn rollback(self) -> Result<(), Error> {
        self.inner.rollback().await
    }
}
