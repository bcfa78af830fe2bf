//! Polls the servers for all viewers: only while one asks, and at most every second and a half.

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

/// Pause between two polls, for however many viewers.
const PAUSE: Duration = Duration::from_millis(1_500);
/// A poll serves every viewer within this time.
const FRESH: Duration = Duration::from_secs(2);
/// Longest to wait for a new poll; after it the last one is shown with its age, as during an outage.
const PATIENCE: Duration = Duration::from_secs(4);
/// The very first poll has no older one to fall back to.
const FIRST: Duration = Duration::from_secs(20);

/// What a poll found.
#[derive(Clone, Debug)]
pub(crate) struct Poll {
    finished: Instant,
    /// When, in UTC milliseconds.
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
    /// Starts polling; ends with the console.
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

    /// The poll of the last two seconds, or the last one there is when a server keeps the next one waiting.
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
        // Out of patience, or the console ends: what there is is shown.
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
            None => Err("no answer in time".to_owned()),
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
