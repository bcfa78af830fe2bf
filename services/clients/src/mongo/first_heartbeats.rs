//! The first thing a client learns of its servers: whether they refuse each other's certificates.
//!
//! The driver takes a refused certificate for a server that is away, and tells of it in the text of a timeout. Its monitors
//! tell the error itself, at once.

use std::collections::BTreeMap;
use std::time::Duration;

use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use tokio::sync::mpsc::{Receiver, channel};

use super::class::tls_refusal;

/// Longest that opening waits for what the servers say; what comes later is found out at the first use.
pub(super) const FIRST_HEARTBEATS: Duration = Duration::from_secs(1);
/// Heartbeats that are kept; there is one for each server.
const SEEN_MAX: usize = 64;

enum Seen {
    Well,
    Away,
    Refused { address: String, refusal: String },
}

/// Heartbeats as they come in.
pub(super) struct FirstHeartbeats(Receiver<Seen>);

impl FirstHeartbeats {
    /// The receiver, and the handler that the driver has to be given for it.
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
            // Once the client is open nobody reads them any more.
            let _ = sender.try_send(seen);
        });
        (Self(receiver), handler)
    }

    /// Why none of so many servers can be used, when that is certain.
    pub(super) async fn refusal(mut self, hosts: usize) -> Option<String> {
        let mut refusals = BTreeMap::new();
        let waiting = async {
            while let Some(seen) = self.0.recv().await {
                match seen {
                    // One that answers is enough, and one that is away may be enough when it is back.
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
