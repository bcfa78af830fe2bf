//! A database, as services use it: the driver's generic futures are compiled here, and in no other crate.

use futures_util::future::BoxFuture;
use mongodb::error::Result;

use super::change_stream::{ChangeStream, Watch};
use super::collection::Collection;

/// A database whose reads and writes are acknowledged by a majority.
#[derive(Clone, Debug)]
pub struct Database {
    driver: mongodb::Database,
}

impl Database {
    pub(super) fn of(driver: mongodb::Database) -> Self {
        Self { driver }
    }

    /// The driver's own handle, for tests and benchmarks.
    #[must_use]
    pub fn driver(&self) -> &mongodb::Database {
        &self.driver
    }

    /// A collection, whether it exists or not.
    #[must_use]
    pub fn collection(&self, name: &str) -> Collection {
        Collection::of(self.driver.collection(name))
    }

    /// Opens a change stream of all collections.
    ///
    /// # Errors
    /// The server's error; [`is_dead_token`](super::is_dead_token) when it no longer knows the position.
    pub fn watch(&self, watch: Watch) -> BoxFuture<'_, Result<ChangeStream>> {
        Box::pin(async move {
            let asked = self.driver.watch().pipeline([watch.stage]);
            let asked = asked.max_await_time(watch.max_await).batch_size(watch.batch_size);
            let asked = match watch.start_after {
                // `start_after`, never `resume_after`: only it passes an invalidation.
                Some(token) => asked.start_after(token),
                None => asked,
            };
            Ok(ChangeStream::of(asked.await?.with_type()))
        })
    }

    /// Closes all connections, for good. Otherwise the driver's own tasks panic when the runtime ends.
    pub fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.driver.client().clone().shutdown().immediate(true).await })
    }
}
