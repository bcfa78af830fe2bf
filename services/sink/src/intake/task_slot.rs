//! A background task whose result the loop awaits.

use std::future::{Future, pending};

use tokio::task::JoinHandle;

use crate::error::SinkError;

/// At most one task of its kind.
#[derive(Debug)]
pub(super) struct TaskSlot<T>(Option<JoinHandle<Result<T, SinkError>>>);

impl<T> Default for TaskSlot<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Send + 'static> TaskSlot<T> {
    /// Starts a task and aborts the previous one.
    pub(super) fn start(&mut self, task: impl Future<Output = Result<T, SinkError>> + Send + 'static) {
        self.cancel();
        self.0 = Some(tokio::spawn(task));
    }

    pub(super) fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for the task's end; forever when none is running. Cancel-safe.
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

impl<T> Drop for TaskSlot<T> {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}
