//! Reports waits: answers that do not come, and locks that other sessions hold.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use pulseline_runtime::waits::{Hop, Wait};
use pulseline_sql::{Client, GenericClient};
use tokio::time::timeout;

use crate::error::LoaderError;
use crate::write::{is_superseded, sessions_of};

/// A wait is reported once it has lasted this long.
const REPORTED_AFTER: Duration = Duration::from_secs(3);
/// How often it is reported again.
const REPORTED_EVERY: Duration = Duration::from_secs(30);

/// Sessions of this epoch that wait for a lock, and their blockers. For other users' sessions the server may show only the pid.
const BLOCKERS: &str = "select w.application_name, extract(epoch from clock_timestamp() - w.query_start)::double precision, \
        b.pid, coalesce(b.application_name, ''), coalesce(b.state, ''), \
        extract(epoch from clock_timestamp() - b.xact_start)::double precision \
    from pg_stat_activity w cross join lateral unnest(pg_blocking_pids(w.pid)) as held(pid) \
    join pg_stat_activity b on b.pid = held.pid \
    where w.datname = current_database() and w.wait_event_type = 'Lock' and w.application_name ~ $1";
/// Matches the name too: the pid may belong to another session by now.
const END: &str = "select pg_terminate_backend(pid) from pg_stat_activity \
    where pid = $1 and application_name = $2 and datname = current_database()";

/// Waits for `answer`, and reports the wait when it takes long.
pub(crate) async fn report_wait<F: Future>(wait: &mut Wait, answer: F) -> F::Output {
    let mut answer = pin!(answer);
    loop {
        if let Ok(answer) = timeout(REPORTED_AFTER, answer.as_mut()).await {
            return answer;
        }
        wait.failed(Hop::Timescale, &"TimescaleDB does not answer yet");
    }
}

/// A waiting session, and its blocker.
#[derive(Clone, Debug, PartialEq)]
struct Blocked {
    waiting: String,
    waited: Duration,
    pid: i32,
    holder: String,
    state: String,
    in_transaction: Duration,
}

/// What is done about a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    /// It may pass soon, or was reported a moment ago.
    Nothing,
    Tell,
    /// This loader took the lease of the blocker: end its transaction, as the server would after enough silence.
    End,
}

/// Watches the locks that this loader waits for.
#[derive(Debug, Default)]
pub(crate) struct Blockers {
    /// When each wait was last reported.
    reported_at: HashMap<(String, i32), Instant>,
}

impl Blockers {
    /// Reports blockers, and ends the transactions of superseded loaders.
    pub(crate) async fn check(&mut self, client: &Client, epoch: i64) -> Result<(), LoaderError> {
        let rows = client.query(BLOCKERS, &[&sessions_of(epoch)]).await;
        let rows = rows.map_err(LoaderError::statement(
            "looking for sessions that block this loader",
        ))?;
        let waits: Vec<Blocked> = rows.iter().map(wait).collect();
        let now = Instant::now();
        for wait in &waits {
            match self.measure(wait, epoch, now) {
                Measure::Nothing => {}
                Measure::Tell => tell(wait),
                Measure::End => {
                    tell(wait);
                    end(client, wait).await;
                }
            }
        }
        self.reported_at.retain(|(waiting, pid), _| {
            waits
                .iter()
                .any(|wait| wait.waiting == *waiting && wait.pid == *pid)
        });
        Ok(())
    }

    fn measure(&mut self, wait: &Blocked, epoch: i64, now: Instant) -> Measure {
        if is_superseded(&wait.holder, epoch) {
            return Measure::End;
        }
        let key = (wait.waiting.clone(), wait.pid);
        let is_fresh = |at: &Instant| now.duration_since(*at) < REPORTED_EVERY;
        if wait.waited < REPORTED_AFTER || self.reported_at.get(&key).is_some_and(is_fresh) {
            return Measure::Nothing;
        }
        self.reported_at.insert(key, now);
        Measure::Tell
    }
}

fn wait(row: &tokio_postgres::Row) -> Blocked {
    let seconds = |index| {
        let seconds = row.get::<_, Option<f64>>(index).unwrap_or_default();
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    };
    Blocked {
        waiting: row.get(0),
        waited: seconds(1),
        pid: row.get(2),
        holder: row.get(3),
        state: row.get(4),
        in_transaction: seconds(5),
    }
}

fn tell(wait: &Blocked) {
    tracing::warn!(
        waiting = wait.waiting,
        waited_s = wait.waited.as_secs(),
        holder = wait.holder,
        holder_pid = wait.pid,
        holder_state = wait.state,
        in_transaction_s = wait.in_transaction.as_secs(),
        "waiting for a lock that another session holds"
    );
}

async fn end(client: &Client, wait: &Blocked) {
    match client.execute(END, &[&wait.pid, &wait.holder]).await {
        Ok(_) => tracing::warn!(
            holder = wait.holder,
            holder_pid = wait.pid,
            "ended the transaction of a superseded loader"
        ),
        // The server ends it once it has been silent for as long as its lease lasted.
        Err(error) => {
            tracing::warn!(%error, holder = wait.holder, "the blocking transaction cannot be ended from here")
        }
    }
}

#[cfg(test)]
mod tests {
    use pulseline_runtime::waits::Waits;

    use super::*;

    fn wait(holder: &str, waited: u64) -> Blocked {
        Blocked {
            waiting: "pulseline-loader-steps-7".into(),
            waited: Duration::from_secs(waited),
            pid: 1,
            holder: holder.into(),
            state: "idle in transaction".into(),
            in_transaction: Duration::from_secs(60),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn p_19_a_slow_answer_shows_as_a_wait_until_it_arrives() {
        let waits = Waits::new();
        let mut wait = waits.prepare("asking");
        let answer = async {
            tokio::time::sleep(REPORTED_AFTER * 2).await;
            waits.now().len()
        };
        assert_eq!(report_wait(&mut wait, answer).await, 1);
        assert_eq!(
            report_wait(&mut waits.prepare("asking"), async { waits.now().len() }).await,
            1
        );
        wait.over();
        assert!(waits.now().is_empty());
    }

    #[test]
    fn a_wait_is_reported_once_and_then_rarely_and_only_who_was_superseded_is_ended() {
        let (mut waits, now) = (Blockers::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(waits.measure(&wait("psql", 1), 7, now), Measure::Nothing);
        assert_eq!(waits.measure(&wait("psql", 5), 7, now), Measure::Tell);
        assert_eq!(waits.measure(&wait("psql", 8), 7, after(3)), Measure::Nothing);
        assert_eq!(waits.measure(&wait("psql", 40), 7, after(35)), Measure::Tell);
        assert_eq!(
            waits.measure(&wait("pulseline-loader-steps-6", 0), 7, now),
            Measure::End
        );
        // One of this epoch, and one of a loader that has taken over.
        assert_eq!(
            waits.measure(&wait("pulseline-loader-steps-7", 1), 7, now),
            Measure::Nothing
        );
        assert_eq!(
            waits.measure(&wait("pulseline-loader-steps-8", 1), 7, now),
            Measure::Nothing
        );
    }
}
