//! Sends messages from a channel to Kafka, each at its time.

use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::UtcMillis;
use tokio::sync::mpsc::Receiver;

use super::message::Message;
use super::sender::Sender;
use crate::error::GeneratorError;
use crate::pace::Pace;

/// Sends messages until the channel ends or a stop is requested, then waits for all acknowledgements. `pace` is created
/// from the first message's time. After a stop the channel is closed for its senders.
///
/// # Errors
/// A rejection by Kafka, or the drain deadline. Outages are retried.
pub(crate) async fn deliver(
    sender: &Sender,
    mut messages: Receiver<Message>,
    pace: impl Fn(UtcMillis) -> Pace,
    shutdown: &Shutdown,
) -> Result<(), GeneratorError> {
    let explained = |error| sender.fatal_error().unwrap_or(error);
    let mut started = None;
    while let Some(message) = messages.recv().await {
        let pace = started.get_or_insert_with(|| pace(message.delivered_at));
        if !pace.wait_until(message.delivered_at, shutdown).await {
            break;
        }
        sender.send(&message, shutdown).await.map_err(explained)?;
    }
    drop(messages);
    sender.finish(shutdown).await.map_err(explained)
}
