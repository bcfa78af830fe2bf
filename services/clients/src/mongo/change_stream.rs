//! A change stream, as the driver's type without its generics.

use std::fmt;
use std::time::Duration;

use bson::{Document, RawDocumentBuf};
use futures_util::stream::{BoxStream, TryStreamExt, try_unfold};
use mongodb::change_stream::ChangeStream as DriverStream;
use mongodb::change_stream::event::ResumeToken;
use mongodb::error::Result;

/// Options of a change stream.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The stage that selects events.
    pub stage: Document,
    /// The position after which it begins; the present when there is none.
    pub start_after: Option<ResumeToken>,
    /// How long the server waits for an event before it sends an empty reply.
    pub max_await: Duration,
    /// Events per reply of the server.
    pub batch_size: u32,
}

/// A step of a change stream.
#[derive(Clone, Debug)]
pub struct Step {
    /// The event; none when the server had none in time.
    pub event: Option<RawDocumentBuf>,
    /// The position afterwards.
    pub token: Option<ResumeToken>,
}

/// An open change stream.
pub struct ChangeStream {
    opened_at: Option<ResumeToken>,
    /// One box for all steps: their futures take turns in it.
    steps: BoxStream<'static, Result<Step>>,
}

impl ChangeStream {
    pub(super) fn of(stream: DriverStream<RawDocumentBuf>) -> Self {
        let opened_at = stream.resume_token();
        let steps = try_unfold(stream, |mut stream| async move {
            let event = stream.next_if_any().await?;
            if event.is_none() && !stream.is_alive() {
                return Ok(None);
            }
            let token = stream.resume_token();
            Ok(Some((Step { event, token }, stream)))
        });
        Self {
            opened_at,
            steps: Box::pin(steps),
        }
    }

    /// The position where it was opened; none when the first answer holds events already.
    #[must_use]
    pub fn opened_at(&self) -> Option<&ResumeToken> {
        self.opened_at.as_ref()
    }

    /// The next event, or the position of an empty answer; none at the stream's end. Asks the server at most once.
    ///
    /// # Errors
    /// The server's error, after the driver's own attempt to continue. The stream is over then.
    pub async fn next_if_any(&mut self) -> Result<Option<Step>> {
        // Not boxed, because it is called for every event: it holds nothing of the driver.
        self.steps.try_next().await
    }
}

impl fmt::Debug for ChangeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeStream")
            .field("opened_at", &self.opened_at)
            .finish_non_exhaustive()
    }
}
