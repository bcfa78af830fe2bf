//! Parses the origin of a dead letter. Pure.

use pulseline_schemas::Stream;

/// The origin of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A message of Kafka that the sink could not store.
    Message,
    /// A document, or an item of one, that the loader could not load.
    Document { stream: Stream, id: String },
    /// A record of a file that could not become an event.
    Record,
    /// A text of no known form: another program wrote it.
    Unknown,
}

impl Origin {
    pub(crate) fn read(text: &str) -> Self {
        if text.starts_with("kafka:") {
            return Self::Message;
        }
        if text.starts_with("file:") {
            return Self::Record;
        }
        let document = text.strip_prefix("mongo:").and_then(|rest| rest.split_once('/'));
        let read = document.and_then(|(collection, id)| {
            let stream = Stream::ALL
                .into_iter()
                .find(|stream| stream.collection() == collection)?;
            Some(Self::Document {
                stream,
                id: id.to_owned(),
            })
        });
        read.unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_9_an_origin_says_what_its_dead_letter_is_about() {
        assert_eq!(Origin::read("kafka:fitbit.steps/0/1/7"), Origin::Message);
        assert_eq!(Origin::read("file:abc/17"), Origin::Record);
        let document = Origin::Document {
            stream: Stream::Steps,
            id: "a/b".into(),
        };
        assert_eq!(Origin::read("mongo:steps/a/b"), document);
        assert_eq!(Origin::read("mongo:nothing/a"), Origin::Unknown);
        assert_eq!(Origin::read("smoke signals"), Origin::Unknown);
    }
}
