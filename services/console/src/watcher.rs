//! Polls the servers for all viewers: only while a viewer asks, and at most every second and a half.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pulseline_auditor::{View, Watch};
use pulseline_runtime::clock::system_utc_millis;
use pulseline_runtime::shutdown::Shutdown;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::metrics;
use crate::rates::{Rates, Seen};
use crate::warehouse::Warehouse;

/// Pause between two polls.
const PAUSE: Duration = Duration::from_millis(1_500);
/// How long a poll serves all viewers.
const FRESH: Duration = Duration::from_secs(2);
/// Longest wait for a new poll; then the last one is shown with its age, as during an outage.
const PATIENCE: Duration = Duration::from_secs(4);
/// Longest wait for the first poll, which has no predecessor to fall back to.
const FIRST: Duration = Duration::from_secs(20);

/// The result of a poll.
#[derive(Clone, Debug)]
pub(crate) struct Poll {
    finished: Instant,
    /// Time of the poll, in UTC milliseconds.
    pub(crate) at: i64,
    pub(crate) view: View,
    pub(crate) rates: Option<Rates>,
}

/// Holds the newest poll.
#[derive(Debug)]
pub(crate) struct Watcher {
    asked: Arc<Notify>,
    latest: watch::Receiver<Option<Arc<Poll>>>,
}

impl Watcher {
    /// Starts polling until the console ends.
    pub(crate) fn start(watch: Watch, warehouse: Warehouse, shutdown: Shutdown) -> Self {
        let asked = Arc::new(Notify::new());
        let (tell, latest) = watch::channel(None);
        let waiting = Arc::clone(&asked);
        tokio::spawn(async move {
            let polling = poll_servers(watch, &warehouse, &waiting, &tell);
            tokio::select! {
                biased;
                () = shutdown.stopping() => {}
                () = polling => {}
            }
        });
        Self { asked, latest }
    }

    /// The poll of the last two seconds, or an older one while a server delays the next.
    pub(crate) async fn poll(&self) -> Option<Arc<Poll>> {
        self.asked.notify_one();
        let mut latest = self.latest.clone();
        let patience = if latest.borrow().is_some() {
            PATIENCE
        } else {
            FIRST
        };
        let is_fresh =
            |poll: &Option<Arc<Poll>>| poll.as_ref().is_some_and(|poll| poll.finished.elapsed() < FRESH);
        // Timed out, or the console ends: the last poll is shown.
        let _late = timeout(patience, latest.wait_for(is_fresh)).await;
        self.latest.borrow().clone()
    }
}

async fn poll_servers(
    mut watch: Watch,
    warehouse: &Warehouse,
    asked: &Notify,
    tell: &watch::Sender<Option<Arc<Poll>>>,
) {
    let mut seen = Seen::default();
    loop {
        asked.notified().await;
        let began = Instant::now();
        let client = match warehouse.client().await {
            Some(opened) => opened.map_err(|error| error.to_string()),
            None => Err("connecting timed out".to_owned()),
        };
        let client = client.as_deref().map_err(Clone::clone);
        let view = watch.poll(client).await;
        let finished = Instant::now();
        metrics::record_poll(&view.status, finished - began);
        seen.note(&view.status, finished);
        let poll = Poll {
            finished,
            at: system_utc_millis(),
            view,
            rates: seen.rates(),
        };
        tell.send_replace(Some(Arc::new(poll)));
        tokio::time::sleep(PAUSE).await;
    }
}
