//! First heartbeats: reveal certificate refusals when a client opens.
//!
//! The driver treats a refused certificate as an unreachable server and mentions it only in a timeout's text. Its monitors
//! report the error itself, at once.

use std::collections::BTreeMap;
use std::time::Duration;

use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use tokio::sync::mpsc::{Receiver, channel};

use super::class::tls_refusal;

/// Longest wait for the first heartbeats; later refusals appear at the first use.
pub(super) const FIRST_HEARTBEATS: Duration = Duration::from_secs(1);
/// Most heartbeats to keep, one per server.
const SEEN_MAX: usize = 64;

enum Seen {
    Well,
    Away,
    Refused { address: String, refusal: String },
}

/// Incoming heartbeats.
pub(super) struct FirstHeartbeats(Receiver<Seen>);

impl FirstHeartbeats {
    /// The receiver, and the handler to pass to the driver.
    pub(super) fn new() -> (Self, EventHandler<SdamEvent>) {
        let (sender, receiver) = channel(SEEN_MAX);
        let handler = EventHandler::callback(move |event| {
            let seen = match event {
                SdamEvent::ServerHeartbeatSucceeded(_) => Seen::Well,
                SdamEvent::ServerHeartbeatFailed(failed) => match tls_refusal(&failed.failure) {
                    Some(refusal) => Seen::Refused {
                        address: failed.server_address.to_string(),
                        refusal,
                    },
                    None => Seen::Away,
                },
                _ => return,
            };
            // After opening, the receiver is gone.
            let _ = sender.try_send(seen);
        });
        (Self(receiver), handler)
    }

    /// The refusal, once all servers have refused.
    pub(super) async fn refusal(mut self, hosts: usize) -> Option<String> {
        let mut refusals = BTreeMap::new();
        let waiting = async {
            while let Some(seen) = self.0.recv().await {
                match seen {
                    // One server that answers is enough, and an unreachable one may return.
                    Seen::Well | Seen::Away => return None,
                    Seen::Refused { address, refusal } => refusals.insert(address, refusal),
                };
                if refusals.len() >= hosts {
                    return refusals.into_iter().next();
                }
            }
            None
        };
        let found = tokio::time::timeout(FIRST_HEARTBEATS, waiting)
            .await
            .ok()
            .flatten();
        found.map(|(address, refusal)| format!("{address}: {refusal}"))
    }
}
