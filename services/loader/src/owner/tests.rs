//! One loader works, the others wait: leases by the paused clock.

use tokio::time::{Instant, sleep, timeout};

use super::fake::{Row, TTL};
use super::*;

async fn acquire(row: &Row, owner: u32, health: &Health) -> Owner {
    let won = Owner::acquire(&row.contender(owner), TTL, health, &Shutdown::new()).await;
    won.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn d_2_of_several_loaders_one_works_and_another_takes_over_when_it_is_gone() {
    let (row, health) = (Row::default(), Health::new());
    let owner = acquire(&row, 1, &health).await;
    assert_eq!(owner.epoch(), 1);
    let keeping = tokio::spawn(owner.keep(CancellationToken::new(), Shutdown::new()));
    let standing_by = timeout(TTL * 20, acquire(&row, 2, &health)).await;
    assert!(standing_by.is_err(), "two loaders work");
    assert!(health.is_ready(), "a standby is ready");
    // The owner dies without a word.
    keeping.abort();
    let began = Instant::now();
    assert_eq!(acquire(&row, 2, &health).await.epoch(), 2);
    assert!(began.elapsed() <= TTL + TTL / RENEWALS_PER_TTL);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_released_is_taken_without_a_wait_for_its_end() {
    let (row, health) = (Row::default(), Health::new());
    let owner = acquire(&row, 1, &health).await;
    let next = acquire(&row, 2, &health);
    let began = Instant::now();
    let released = async {
        sleep(TTL / 2).await;
        owner.release().await;
    };
    let (next, ()) = tokio::join!(next, released);
    assert_eq!(next.epoch(), 2);
    assert!(began.elapsed() < TTL);
}

#[tokio::test(start_paused = true)]
async fn d_2_a_stolen_lease_is_reported_and_one_that_could_not_be_renewed_is_kept() {
    let (row, health, shutdown) = (Row::default(), Health::new(), Shutdown::new());
    let owner = acquire(&row, 1, &health).await;
    let mut keeping = tokio::spawn(owner.keep(CancellationToken::new(), shutdown.clone()));
    // An outage longer than the term: no other loader takes it.
    row.state().away_until = Some(Instant::now() + TTL * 5);
    assert!(timeout(TTL * 4, &mut keeping).await.is_err());
    assert_eq!(shutdown.waits().now()[0].what, RENEWING);
    assert!(timeout(TTL * 4, &mut keeping).await.is_err());
    assert!(shutdown.waits().now().is_empty());
    row.state().epoch += 1;
    let (_, lost) = timeout(TTL * 4, keeping).await.unwrap().unwrap();
    let lost = lost.unwrap_err();
    assert!(matches!(lost, LoaderError::LeaseLost { epoch: 1, .. }) && lost.is_superseded());
}

#[tokio::test(start_paused = true)]
async fn p_19_a_server_that_does_not_answer_shows_as_a_wait_and_a_stop_ends_it() {
    let (row, health, shutdown) = (Row::default(), Health::new(), Shutdown::new());
    row.state().silent_until = Some(Instant::now() + TTL * 100);
    let contender = row.contender(1);
    let acquiring = Owner::acquire(&contender, TTL, &health, &shutdown);
    let stopped = async {
        sleep(TTL).await;
        assert_eq!(shutdown.waits().now()[0].what, ACQUIRING);
        shutdown.stop();
    };
    let (acquired, ()) = tokio::join!(acquiring, stopped);
    assert!(acquired.unwrap().is_none() && shutdown.waits().now().is_empty());
}

#[tokio::test(start_paused = true)]
async fn keeping_ends_when_loading_has() {
    let (row, health, done) = (Row::default(), Health::new(), CancellationToken::new());
    let owner = acquire(&row, 1, &health).await;
    done.cancel();
    let (owner, kept) = owner.keep(done, Shutdown::new()).await;
    assert!(kept.is_ok() && owner.epoch() == 1);
}
