//! What ends loading: its own end, or the loss of the lease.

use tokio::time::Instant;

use super::*;
use crate::owner::Leases;
use crate::owner::fake::{Row, TTL};

/// Supervises loading that ends so; says how it ended, and whether the lease is free afterwards.
async fn supervised<F>(row: &Row, shutdown: &Shutdown, loading: F) -> (Result<(), LoaderError>, bool)
where
    F: Future<Output = Result<(), LoaderError>> + Send + 'static,
{
    let contender = row.contender(1);
    let owner = Owner::acquire(&contender, TTL, &Health::new(), &Shutdown::new()).await;
    let released = CancellationToken::new();
    let keeper = tokio::spawn(owner.unwrap().unwrap().keep(released.clone(), Shutdown::new()));
    let ended = supervise(tokio::spawn(loading), keeper, &released, shutdown).await;
    let other = row.contender(2).acquire().await;
    (ended, other.unwrap().is_some())
}

/// Loads until the deadline, then ends with this error.
async fn abandoned(shutdown: Shutdown, error: LoaderError) -> Result<(), LoaderError> {
    shutdown.abandoned().await;
    Err(error)
}

async fn died() -> Result<(), LoaderError> {
    panic!("scripted")
}

#[tokio::test(start_paused = true)]
async fn loading_that_ends_releases_the_lease_at_once_unless_it_was_abandoned() {
    let (row, shutdown) = (Row::default(), Shutdown::new());
    let began = Instant::now();
    let (ended, is_free) = supervised(&row, &shutdown, async { Ok(()) }).await;
    assert!(ended.is_ok() && is_free && began.elapsed() < TTL);
    let (ended, is_free) = supervised(&Row::default(), &shutdown, async {
        Err(LoaderError::NoErasureKey)
    })
    .await;
    assert!(matches!(ended, Err(LoaderError::NoErasureKey)) && is_free);
    let (ended, _) = supervised(&Row::default(), &shutdown, died()).await;
    assert!(matches!(ended, Err(LoaderError::Task(_))));
    shutdown.abandon();
    let loading = abandoned(shutdown.clone(), LoaderError::Abandoned);
    let (ended, is_free) = supervised(&Row::default(), &shutdown, loading).await;
    assert!(matches!(ended, Err(LoaderError::Abandoned)) && !is_free);
}

#[tokio::test(start_paused = true)]
async fn d_2_a_lost_lease_abandons_loading_and_the_loader_stands_by_again() {
    let stolen = Row::default();
    let thief = stolen.clone();
    let steals = tokio::spawn(async move {
        tokio::time::sleep(TTL * 3).await;
        thief.state().epoch += 1;
    });
    let shutdown = Shutdown::new();
    let loading = abandoned(shutdown.clone(), LoaderError::Abandoned);
    let (ended, _) = supervised(&stolen, &shutdown, loading).await;
    assert!(ended.unwrap_err().is_superseded());
    steals.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reason_of_its_own_is_told_before_the_loss_of_the_lease() {
    let row = Row::default();
    let thief = row.clone();
    tokio::spawn(async move {
        tokio::time::sleep(TTL).await;
        thief.state().epoch += 1;
    });
    let shutdown = Shutdown::new();
    let loading = abandoned(shutdown.clone(), LoaderError::NoErasureKey);
    let supervising = supervised(&row, &shutdown, loading);
    let (ended, _) = tokio::time::timeout(TTL * 100, supervising).await.unwrap();
    assert!(matches!(ended, Err(LoaderError::NoErasureKey)));
}

#[tokio::test(start_paused = true)]
async fn a_stop_from_outside_ends_loading_and_its_deadline_abandons_it() {
    let (outer, inner) = (Shutdown::new(), Shutdown::new());
    let forwarder = tokio::spawn(forward(outer.clone(), inner.clone()));
    outer.stop();
    inner.stopping().await;
    assert!(!inner.is_abandoned());
    outer.abandon();
    inner.abandoned().await;
    forwarder.await.unwrap();
}
