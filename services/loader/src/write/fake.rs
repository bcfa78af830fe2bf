//! A warehouse in memory for tests: it keeps the rules of the real one, and fails as scripted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bson::{Timestamp, rawdoc};
use pulseline_schemas::{Position, Stream};
use pulseline_sql::forgotten::Forgotten;
use pulseline_sql::write_guard::WriteGuard;
use pulseline_tombstones::Key;
use tokio::io::AsyncWriteExt;
use tokio_postgres::{Config, NoTls};
use uuid::Uuid;

use super::erase::Erased;
use super::purpose::Purpose;
use super::rows::BatchRows;
use super::warehouse::{Answer, DeadLetterStore, Newest, Warehouse, Work};
use super::{Expected, Writer};
use crate::account::{Account, AccountKind};
use crate::batch::Progress;
use crate::checkpoint::Checkpoint;
use crate::dead_letter::DeadLetter;
use crate::document::{Cell, Origin, Reading, ReadingsUpload, Rows, SourceCollection};
use crate::error::LoaderError;
use crate::map::Mapped;
use crate::resume::{ResumePoint, StreamPosition};

pub(crate) const SOURCE: SourceCollection = SourceCollection::Stream(Stream::Steps);
/// A value that the server refuses.
pub(crate) const REFUSED: i32 = -1;

/// What happens to one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The server rolls it back with this SQLSTATE.
    Reject(&'static str),
    /// The connection ends before its commit.
    Disconnect,
    /// The connection ends after its commit, before the reply.
    LoseReply,
    /// It waits so long before its first statement.
    Hold(Duration),
    /// The floor or the list of erased people changes before it.
    Guard(WriteGuard),
    /// Another loader takes the checkpoint over before it.
    Supersede,
}

/// A request, with its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Write {
        direct: usize,
        merge: usize,
        unpacks: bool,
    },
    Probe(usize),
    Save,
}

/// Warehouse and dead-letter collection. Clones share one state.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) calls: Vec<Call>,
    /// By device and time: the version, and the value.
    pub(crate) readings: BTreeMap<(Uuid, i64), ((i64, Uuid), i32)>,
    pub(crate) entries: usize,
    pub(crate) accounts: Vec<Account>,
    /// Ids in the warehouse.
    pub(crate) dead_letters: BTreeSet<String>,
    /// Ids in MongoDB.
    pub(crate) collection: BTreeSet<String>,
    pub(crate) epoch: i64,
    pub(crate) seq: i64,
    pub(crate) position: Option<ResumePoint>,
    /// Every position that was committed.
    pub(crate) positions: Vec<StreamPosition>,
    pub(crate) guard: WriteGuard,
    pub(crate) forgotten: Forgotten,
    pub(crate) key: Option<Key>,
    /// Merging touches more packed rows than the server allows.
    pub(crate) is_packed: bool,
}

impl Fake {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    /// Takes the checkpoint over, as `ops.checkpoints` allows it; with the position to continue from.
    pub(crate) fn open(&self, epoch: i64) -> Result<(Writer, Option<ResumePoint>), LoaderError> {
        let mut state = self.state();
        if state.epoch > epoch {
            let collection = SOURCE.name();
            return Err(LoaderError::Claimed { collection, epoch });
        }
        state.epoch = epoch;
        let purpose = Purpose::Follow(Checkpoint::new(SOURCE, epoch, state.seq));
        let writer = self.writer(SOURCE, purpose).following(100, &Expected::default());
        Ok((writer, state.position.clone()))
    }

    pub(crate) fn writer(&self, source: SourceCollection, purpose: Purpose) -> Writer {
        Writer::new(source, purpose, Box::new(self.clone()), Box::new(self.clone()))
    }

    /// Meets the scripted fault, then runs `transaction` on the state.
    async fn transact<T>(
        &self,
        call: Call,
        transaction: impl FnOnce(&mut State) -> Result<T, Failed>,
    ) -> Result<T, LoaderError> {
        let fault = {
            let mut state = self.state();
            state.calls.push(call);
            state.faults.pop_front()
        };
        match fault {
            Some(Fault::Reject(sqlstate)) => return Err(failed(Some(sqlstate)).await),
            Some(Fault::Disconnect) => return Err(failed(None).await),
            Some(Fault::Hold(time)) => tokio::time::sleep(time).await,
            Some(Fault::Guard(guard)) => self.state().guard = guard,
            Some(Fault::Supersede) => self.state().epoch += 1,
            Some(Fault::LoseReply) | None => {}
        }
        let done = transaction(&mut self.state());
        match done {
            Ok(_) if matches!(fault, Some(Fault::LoseReply)) => Err(failed(None).await),
            Ok(answer) => Ok(answer),
            Err(Failed::With(sqlstate)) => Err(failed(Some(sqlstate)).await),
            Err(Failed::As(error)) => Err(error),
        }
    }
}

/// Why a transaction was rolled back.
enum Failed {
    With(&'static str),
    As(LoaderError),
}

impl State {
    fn check(&self, rows: BatchRows<'_>, unpacks: bool) -> Result<(), Failed> {
        let readings = || rows.direct.iter().chain(rows.merge);
        let is_refused = readings().any(|row| row.value == REFUSED)
            || rows
                .entries
                .iter()
                .any(|entry| entry.cells.contains(&Cell::Int4(REFUSED)))
            || rows.users.iter().any(|user| user.height_cm == Some(-1));
        let mut direct = rows.direct.iter();
        if is_refused {
            Err(Failed::With("22003"))
        } else if direct.any(|row| self.readings.contains_key(&(row.device_id, row.local_ts))) {
            Err(Failed::With("23505"))
        } else if self.is_packed && !unpacks && !rows.merge.is_empty() {
            Err(Failed::With("53400"))
        } else {
            Ok(())
        }
    }

    /// Moves the position by compare-and-swap.
    fn advance(&mut self, checkpoint: &Checkpoint, progress: &Progress) -> Result<(), Failed> {
        let (epoch, seq) = (checkpoint.epoch, checkpoint.seq);
        if (epoch, seq) != (self.epoch, self.seq) {
            let collection = SOURCE.name();
            return Err(Failed::As(LoaderError::Fenced {
                collection,
                epoch,
                seq,
            }));
        }
        self.seq += 1;
        if let Some(position) = &progress.position {
            self.positions.push(position.stream_position);
            self.position = Some(position.clone());
        }
        Ok(())
    }

    fn write(&mut self, work: &Work<'_>) -> Result<u64, Failed> {
        if work.guard.is_some_and(|guard| guard != self.guard) {
            return Err(Failed::As(LoaderError::Moved { guard: self.guard }));
        }
        self.check(work.rows, work.unpacks)?;
        if let Purpose::Follow(checkpoint) = work.purpose {
            self.advance(checkpoint, &work.batch.progress)?;
        }
        let mut changed = work.rows.entries.len() as u64;
        self.entries += work.rows.entries.len();
        for row in work.rows.direct.iter().chain(work.rows.merge) {
            let upload = &work.rows.uploads[row.upload as usize];
            let new = ((upload.synced_at, upload.event_id), row.value);
            let stored = self.readings.entry((row.device_id, row.local_ts));
            let is_new = matches!(stored, std::collections::btree_map::Entry::Vacant(_));
            let stored = stored.or_insert(new);
            if is_new || (new.0 >= stored.0 && new != *stored) {
                *stored = new;
                changed += 1;
            }
        }
        let ids = work.batch.dead_letters.iter().map(DeadLetter::id);
        self.dead_letters.extend(ids);
        self.accounts.extend(work.accounts());
        Ok(changed)
    }
}

impl Warehouse for Fake {
    fn newest<'a>(&'a mut self, devices: &'a [Uuid]) -> Answer<'a, Newest> {
        let ends: Vec<_> = devices.iter().map(|device| (*device, i64::MAX)).collect();
        Box::pin(async move { self.newest_until(&ends).await })
    }

    fn newest_until<'a>(&'a mut self, ends: &'a [(Uuid, i64)]) -> Answer<'a, Newest> {
        let newest = |&(device, until): &(Uuid, i64)| {
            let state = self.state();
            let times = state
                .readings
                .keys()
                .filter(|key| key.0 == device && key.1 <= until);
            (device, times.map(|key| key.1).max())
        };
        let newest = ends.iter().map(newest).collect();
        Box::pin(async move { Ok(newest) })
    }

    fn write<'a>(&'a mut self, work: Work<'a>) -> Answer<'a, u64> {
        let call = Call::Write {
            direct: work.rows.direct.len(),
            merge: work.rows.merge.len(),
            unpacks: work.unpacks,
        };
        Box::pin(self.transact(call, move |state| state.write(&work)))
    }

    fn probe<'a>(&'a mut self, rows: BatchRows<'a>) -> Answer<'a, ()> {
        let count = rows.merge.len() + rows.entries.len() + rows.users.len();
        Box::pin(self.transact(Call::Probe(count), move |state| state.check(rows, true)))
    }

    fn save<'a>(&'a mut self, checkpoint: &'a Checkpoint, progress: &'a Progress) -> Answer<'a, ()> {
        Box::pin(self.transact(Call::Save, move |state| state.advance(checkpoint, progress)))
    }

    fn forgotten(&mut self) -> Answer<'_, Forgotten> {
        let forgotten = self.state().forgotten.clone();
        Box::pin(async move { Ok(forgotten) })
    }
}

impl DeadLetterStore for Fake {
    fn store<'a>(&'a self, dead_letters: &'a [&'a DeadLetter]) -> Answer<'a, ()> {
        let ids = dead_letters.iter().map(|dead_letter| dead_letter.id());
        self.state().collection.extend(ids);
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(&'a self, erased: &'a Erased) -> Answer<'a, ()> {
        let is_kept = |id: &String| !erased.dead_letters.contains(id);
        self.state().collection.retain(is_kept);
        Box::pin(async { Ok(()) })
    }

    fn erasure_key(&self) -> Answer<'_, Option<Key>> {
        let key = self.state().key.clone();
        Box::pin(async move { Ok(key) })
    }
}

/// The driver's error when the server answers with an SQLSTATE; with none, when the connection ends.
pub(crate) async fn failed(sqlstate: Option<&str>) -> LoaderError {
    let (ours, mut theirs) = tokio::io::duplex(1_024);
    if let Some(sqlstate) = sqlstate {
        let fields = format!("SERROR\0C{sqlstate}\0Mscripted\0\0");
        let length = i32::try_from(fields.len()).unwrap() + 4;
        let answer = [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat();
        theirs.write_all(&answer).await.unwrap();
        theirs.shutdown().await.unwrap();
    } else {
        drop(theirs);
    }
    let connected = Config::new().user("test").connect_raw(ours, NoTls).await;
    LoaderError::statement("testing")(connected.err().unwrap())
}

/// The position after so many events.
pub(crate) fn point(events: u32) -> ResumePoint {
    let token = rawdoc! { "_data": events.to_string() };
    ResumePoint {
        token: bson::deserialize_from_slice(token.as_bytes()).unwrap(),
        stream_position: StreamPosition::START.next(Timestamp {
            time: events,
            increment: 1,
        }),
    }
}

/// Progress up to the position after so many events.
pub(crate) fn progress(events: u32) -> Progress {
    Progress {
        position: Some(point(events)),
        ..Progress::default()
    }
}

/// The origin of the document at an offset.
pub(crate) fn origin(offset: i64) -> Arc<Origin> {
    Arc::new(Origin {
        source: SOURCE,
        id: offset.to_string(),
        position: Some(Position {
            topic: "fitbit.steps".into(),
            incarnation: 0,
            partition: 0,
            offset,
        }),
        key: None,
        document: None,
    })
}

/// An upload of readings of a device, synced at its offset; each reading is a time and a value.
pub(crate) fn upload(offset: i64, device: u128, readings: &[(i64, i32)]) -> Mapped {
    let reading = |(item, &(local_ts, value)): (u32, &(i64, i32))| Reading {
        local_ts,
        item,
        value,
        confidence: None,
    };
    let origin = origin(offset);
    Mapped {
        account: origin.account(AccountKind::Loaded),
        dead_letters: Vec::new(),
        rows: Rows::Readings(ReadingsUpload {
            device_id: Uuid::from_u128(device),
            event_id: Uuid::from_u128(offset.unsigned_abs().into()),
            synced_at: offset,
            utc_offset_minutes: 0,
            readings: (0..).zip(readings).map(reading).collect(),
            origin,
        }),
    }
}
