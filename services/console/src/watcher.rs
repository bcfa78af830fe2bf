//! One who looks for everybody: while somebody asks, and no more often than a second and a half apart.

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

/// Pause between two looks, however many ask.
const PAUSE: Duration = Duration::from_millis(1_500);
/// A look serves whoever asks within this time.
const FRESH: Duration = Duration::from_secs(2);
/// Longest to wait for a new look; after it the last one is shown with its age, as during an outage.
const PATIENCE: Duration = Duration::from_secs(4);
/// The very first look has no older one to fall back to.
const FIRST: Duration = Duration::from_secs(20);

/// What a look saw.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    finished: Instant,
    /// When, in UTC milliseconds.
    pub(crate) at: i64,
    pub(crate) view: View,
    pub(crate) rates: Option<Rates>,
}

/// Where the newest look is found.
#[derive(Debug)]
pub(crate) struct Watcher {
    asked: Arc<Notify>,
    latest: watch::Receiver<Option<Arc<Look>>>,
}

impl Watcher {
    /// Starts looking; ends with the console.
    pub(crate) fn start(watch: Watch, warehouse: Warehouse, shutdown: Shutdown) -> Self {
        let asked = Arc::new(Notify::new());
        let (tell, latest) = watch::channel(None);
        let waiting = Arc::clone(&asked);
        tokio::spawn(async move {
            let looking = look_on(watch, &warehouse, &waiting, &tell);
            tokio::select! {
                biased;
                () = shutdown.stopping() => {}
                () = looking => {}
            }
        });
        Self { asked, latest }
    }

    /// A look of the last two seconds; the last one there is when a server keeps the next one waiting.
    pub(crate) async fn look(&self) -> Option<Arc<Look>> {
        self.asked.notify_one();
        let mut latest = self.latest.clone();
        let patience = if latest.borrow().is_some() {
            PATIENCE
        } else {
            FIRST
        };
        let is_fresh =
            |look: &Option<Arc<Look>>| look.as_ref().is_some_and(|look| look.finished.elapsed() < FRESH);
        // Out of patience, or the console ends: what there is is shown.
        let _late = timeout(patience, latest.wait_for(is_fresh)).await;
        self.latest.borrow().clone()
    }
}

async fn look_on(
    mut watch: Watch,
    warehouse: &Warehouse,
    asked: &Notify,
    tell: &watch::Sender<Option<Arc<Look>>>,
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
        let view = watch.look(client).await;
        let finished = Instant::now();
        metrics::record_look(&view.status, finished - began);
        seen.note(&view.status, finished);
        let look = Look {
            finished,
            at: system_utc_millis(),
            view,
            rates: seen.rates(),
        };
        tell.send_replace(Some(Arc::new(look)));
        tokio::time::sleep(PAUSE).await;
    }
}
