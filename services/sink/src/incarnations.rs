//! Maps Kafka's topic ids to incarnations of a topic (P4).

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::entry::TopicIncarnation;
use crate::error::SinkError;
use crate::event_store::EventStore;
use crate::metrics;

/// How often the sink rereads an incarnation that another member opens at the same time.
const ATTEMPTS: u32 = 5;

/// How a topic's id relates to the known incarnations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// The id is the newest incarnation's.
    Known(i32),
    /// The id is new: it opens this incarnation.
    Opens(i32),
    /// The id is an older incarnation's: that never happens by itself.
    Outdated { incarnation: i32, newest: i32 },
}

/// Binds a topic id, given the known incarnations of the topic.
pub(crate) fn bind(known: &[(i32, String)], topic_id: &str) -> Binding {
    let newest = known.iter().map(|(incarnation, _)| *incarnation).max();
    let own = known
        .iter()
        .filter(|(_, id)| id == topic_id)
        .map(|(incarnation, _)| *incarnation)
        .max();
    match (own, newest) {
        (Some(incarnation), Some(newest)) if incarnation == newest => Binding::Known(incarnation),
        (Some(incarnation), Some(newest)) => Binding::Outdated { incarnation, newest },
        (None, Some(newest)) => Binding::Opens(newest + 1),
        (_, None) => Binding::Opens(0),
    }
}

/// A topic's incarnation, and whether it was opened just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) identity: TopicIncarnation,
    pub(crate) is_new: bool,
}

/// Finds the incarnation of each topic; opens one for each new id.
pub(crate) async fn bind_all(
    store: &dyn EventStore,
    topic_ids: &HashMap<String, Uuid>,
    now: i64,
) -> Result<HashMap<String, Bound>, SinkError> {
    let mut bound = HashMap::with_capacity(topic_ids.len());
    for (topic, topic_id) in topic_ids {
        bound.insert(
            topic.clone(),
            bind_one(store, topic, &topic_id.to_string(), now).await?,
        );
    }
    Ok(bound)
}

async fn bind_one(store: &dyn EventStore, topic: &str, topic_id: &str, now: i64) -> Result<Bound, SinkError> {
    let mut is_new = false;
    for _ in 0..ATTEMPTS {
        match bind(&store.incarnations(topic).await?, topic_id) {
            Binding::Known(incarnation) => {
                return Ok(Bound {
                    identity: TopicIncarnation {
                        topic_id: Arc::from(topic_id),
                        number: incarnation,
                    },
                    is_new,
                });
            }
            Binding::Opens(incarnation) => {
                // Another member may be faster; then the next attempt finds its incarnation.
                if store.open_incarnation(topic, incarnation, topic_id, now).await? {
                    metrics::record_incarnation(topic, incarnation, topic_id);
                }
                is_new = true;
            }
            Binding::Outdated { incarnation, newest } => {
                return Err(SinkError::OldTopicId {
                    topic: topic.to_owned(),
                    incarnation,
                    newest,
                });
            }
        }
    }
    Err(SinkError::Unsettled {
        collection: pulseline_schemas::collections::INCARNATIONS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(ids: &[&str]) -> Vec<(i32, String)> {
        (0..)
            .zip(ids)
            .map(|(incarnation, id)| (incarnation, (*id).to_owned()))
            .collect()
    }

    #[test]
    fn the_first_topic_is_incarnation_0_and_one_made_anew_the_next() {
        assert_eq!(bind(&[], "a"), Binding::Opens(0));
        assert_eq!(bind(&known(&["a"]), "a"), Binding::Known(0));
        assert_eq!(bind(&known(&["a"]), "b"), Binding::Opens(1));
        assert_eq!(bind(&known(&["a", "b"]), "b"), Binding::Known(1));
    }

    #[test]
    fn an_older_topic_does_not_come_back_by_itself() {
        assert_eq!(
            bind(&known(&["a", "b"]), "a"),
            Binding::Outdated {
                incarnation: 0,
                newest: 1
            }
        );
    }
}
