//! A collection, as services use it: documents are raw, and every future is boxed.

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use mongodb::IndexModel;
use mongodb::error::Result;
use mongodb::options::{FindOptions, IndexOptions};

use super::class::is_there_already;
use super::cursor::Cursor;

/// Options of a query.
#[derive(Clone, Debug, Default)]
pub struct Find {
    /// The fields to return; none returns all.
    pub projection: Option<Document>,
    /// The order of the documents.
    pub sort: Option<Document>,
    /// The maximum number of documents.
    pub limit: Option<i64>,
    /// Documents per reply of the server.
    pub batch_size: Option<u32>,
}

/// A collection of documents.
#[derive(Clone, Debug)]
pub struct Collection {
    driver: mongodb::Collection<RawDocumentBuf>,
}

impl Collection {
    pub(super) fn of(driver: mongodb::Collection<RawDocumentBuf>) -> Self {
        Self { driver }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.driver.name()
    }

    /// Finds documents.
    ///
    /// # Errors
    /// The server's error.
    pub fn find(&self, filter: Document, how: Find) -> BoxFuture<'_, Result<Cursor>> {
        Box::pin(async move {
            let options = FindOptions::builder()
                .projection(how.projection)
                .sort(how.sort)
                .limit(how.limit)
                .batch_size(how.batch_size)
                .build();
            let found = self.driver.find(filter).with_options(options).batch();
            Ok(Cursor::of(found.await?))
        })
    }

    /// Finds a document.
    ///
    /// # Errors
    /// The server's error.
    pub fn find_one(&self, filter: Document) -> BoxFuture<'_, Result<Option<RawDocumentBuf>>> {
        Box::pin(async move { self.driver.find_one(filter).await })
    }

    /// Counts documents.
    ///
    /// # Errors
    /// The server's error.
    pub fn count_documents(&self, filter: Document) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { self.driver.count_documents(filter).await })
    }

    /// The values of a field, each once.
    ///
    /// # Errors
    /// The server's error.
    pub fn distinct<'a>(&'a self, field: &'a str) -> BoxFuture<'a, Result<Vec<Bson>>> {
        Box::pin(async move { self.driver.distinct(field, doc! {}).await })
    }

    /// Inserts a document.
    ///
    /// # Errors
    /// The server's error; [`is_duplicate`](super::is_duplicate) tells whether it exists.
    pub fn insert_one<'a>(&'a self, document: &'a RawDocumentBuf) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.driver.insert_one(document).await.map(drop) })
    }

    /// Inserts documents, unordered: one that is refused does not keep the others out.
    ///
    /// # Errors
    /// The server's error.
    pub fn insert_many<'a>(&'a self, documents: &'a [RawDocumentBuf]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.driver.insert_many(documents).ordered(false).await.map(drop) })
    }

    /// Inserts documents, unordered; existing ones stay as they are.
    ///
    /// # Errors
    /// The server's error.
    pub fn insert_missing<'a>(&'a self, documents: &'a [RawDocumentBuf]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            match self.insert_many(documents).await {
                Err(error) if is_there_already(&error) => Ok(()),
                inserted => inserted,
            }
        })
    }

    /// Changes one document.
    ///
    /// # Errors
    /// The server's error.
    pub fn update_one(&self, filter: Document, update: Document) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.driver.update_one(filter, update).await.map(drop) })
    }

    /// Deletes documents; returns their number.
    ///
    /// # Errors
    /// The server's error.
    pub fn delete_many(&self, filter: Document) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { Ok(self.driver.delete_many(filter).await?.deleted_count) })
    }

    /// Creates an index unless it exists. On a large collection that takes long.
    ///
    /// # Errors
    /// The server's error.
    pub fn create_index(&self, keys: Document) -> BoxFuture<'_, Result<()>> {
        self.create(IndexModel::builder().keys(keys).build())
    }

    /// Creates a unique index unless it exists.
    ///
    /// # Errors
    /// The server's error.
    pub fn create_unique_index(&self, name: &str, keys: Document) -> BoxFuture<'_, Result<()>> {
        let options = IndexOptions::builder().unique(true).name(name.to_owned()).build();
        self.create(IndexModel::builder().keys(keys).options(options).build())
    }

    fn create(&self, index: IndexModel) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.driver.create_index(index).await.map(drop) })
    }

    /// The keys of each index.
    ///
    /// # Errors
    /// The server's error.
    pub fn index_keys(&self) -> BoxFuture<'_, Result<Vec<Document>>> {
        Box::pin(async move {
            let indexes = self.driver.list_indexes().await?;
            indexes.map_ok(|index| index.keys).try_collect().await
        })
    }
}
