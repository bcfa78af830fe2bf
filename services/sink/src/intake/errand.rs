//! A task that the loop waits for without being held up by it.

use std::future::{Future, pending};

use tokio::task::JoinHandle;

use crate::error::SinkError;

/// At most one task of a kind.
#[derive(Debug)]
pub(super) struct Errand<T>(Option<JoinHandle<Result<T, SinkError>>>);

impl<T> Default for Errand<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Send + 'static> Errand<T> {
    /// Sends somebody off. Whoever was out before is called back.
    pub(super) fn start(&mut self, task: impl Future<Output = Result<T, SinkError>> + Send + 'static) {
        self.cancel();
        self.0 = Some(tokio::spawn(task));
    }

    pub(super) fn is_out(&self) -> bool {
        self.0.is_some()
    }

    /// Waits until whoever is out is back; for ever when nobody is. May be dropped and asked again.
    pub(super) async fn ended(&mut self) -> Result<T, SinkError> {
        let Some(task) = &mut self.0 else {
            return pending().await;
        };
        let ended = task.await;
        self.0 = None;
        ended.unwrap_or_else(|error| Err(SinkError::Task(error.to_string())))
    }

    pub(super) fn cancel(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

impl<T> Drop for Errand<T> {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}
