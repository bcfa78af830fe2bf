//! What loading remembers from one opening to the next, and what follows an opening.

use std::collections::HashMap;

use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Wait;

use crate::checkpoint::Claimed;
use crate::config::DeadToken;
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::metrics::{self, Recovery};
use crate::resume::ResumePoint;
use crate::snapshot::Snapshot;
use crate::tasks::{Ended, Moved};

/// Recoveries from a lost position without progress after which the loader gives up.
const MOST_RECOVERIES: u32 = 3;

/// State that survives an outage.
#[derive(Default)]
pub(crate) struct Memory {
    /// Recoveries from a lost position since the last progress.
    recoveries: HashMap<SourceCollection, u32>,
    /// Collections whose stored position is lost, and where they start over, where that is known.
    lost: HashMap<SourceCollection, Option<ResumePoint>>,
    /// The collection at whose position the stream was opened.
    pub(crate) start: Option<SourceCollection>,
    /// Collections whose position this opening moved.
    pub(crate) moved: Moved,
    /// Collections of which this opening has read and stored a part.
    pub(crate) begun: Moved,
    /// The wait from an outage until documents are read again.
    pub(crate) wait: Option<Wait>,
}

/// What has to be done with a collection.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It is loaded up to here: follow it.
    Loaded(ResumePoint),
    /// It has to be read, from the beginning or from here.
    Unread(Option<Snapshot>),
}

/// What follows an opening that ended.
#[derive(Debug)]
pub(crate) enum Next {
    /// Loading ends.
    Stop,
    /// All collections are opened again at once.
    Reopen,
    /// All collections are opened again after a pause: this outage, or position, may pass.
    Wait(LoaderError),
}

impl Memory {
    /// True when a position moved since the last call.
    pub(crate) fn take_progress(&mut self) -> bool {
        let moved = self.moved.take();
        self.recoveries.retain(|source, _| !moved.contains(source));
        // Their checkpoints store how far these snapshots are.
        let begun = self.begun.take();
        self.lost.retain(|source, _| !begun.contains(source));
        !moved.is_empty()
    }

    /// Decides what follows an opening.
    ///
    /// # Errors
    /// Why loading stops.
    pub(crate) fn next(
        &mut self,
        ended: Result<Ended, LoaderError>,
        has_progress: bool,
        policy: DeadToken,
    ) -> Result<Next, LoaderError> {
        match ended {
            Ok(Ended::Stopped) => Ok(Next::Stop),
            Ok(Ended::Together) => Ok(Next::Reopen),
            Ok(Ended::Lost { sources, reason }) => {
                for (source, position) in sources {
                    self.recover(policy, source, position, &reason)?;
                }
                Ok(Next::Reopen)
            }
            // After progress the durable positions are newer than the refused one: they are tried first.
            Err(error) if error.is_dead_token() && !has_progress => {
                let Some(source) = self.start else {
                    return Err(error);
                };
                self.recover(policy, source, None, &error.to_string())?;
                Ok(Next::Reopen)
            }
            Err(error) if error.class() == Class::Transient || error.is_dead_token() => Ok(Next::Wait(error)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn judge(&self, source: SourceCollection, claimed: Claimed) -> Verdict {
        match (self.lost.get(&source), claimed.snapshot, claimed.position) {
            (Some(begins), ..) => Verdict::Unread(begins.clone().map(Snapshot::new)),
            (None, Some(begun), _) => Verdict::Unread(Some(begun)),
            (None, None, Some(position)) => Verdict::Loaded(position),
            (None, None, None) => Verdict::Unread(None),
        }
    }

    pub(crate) fn has_read(&mut self, source: SourceCollection) {
        self.lost.remove(&source);
        tracing::info!(
            collection = source.name(),
            "the collection is read and its position stored"
        );
    }

    /// Schedules another snapshot of a collection, where that is the policy.
    fn recover(
        &mut self,
        policy: DeadToken,
        source: SourceCollection,
        begins: Option<ResumePoint>,
        reason: &str,
    ) -> Result<(), LoaderError> {
        let collection = source.name();
        if policy == DeadToken::Fail {
            return Err(LoaderError::DeadToken {
                collection,
                reason: reason.to_owned(),
            });
        }
        let recoveries = self.recoveries.entry(source).or_default();
        *recoveries += 1;
        if *recoveries >= MOST_RECOVERIES {
            return Err(LoaderError::NoProgress {
                collection,
                recoveries: *recoveries,
            });
        }
        self.lost.insert(source, begins);
        metrics::record_recovery(source, Recovery::Resnapshot);
        tracing::warn!(
            collection,
            reason,
            "MongoDB no longer knows the position: the collection is read again"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests;
