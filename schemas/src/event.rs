//! An event of any stream, and the fields common to all.

use uuid::Uuid;

use crate::codec::{DatumWriter, DecodeError, Extra, Fields, Record, Unknown, WriterSchema, read, write};
use crate::stream::{Stream, streams};
use crate::streams as records;
use crate::streams::{Upload, User};
use crate::time::UtcMillis;

/// What of an event names its sender.
enum Envelope<U, P> {
    /// The envelope of a device's upload.
    Upload(U),
    /// A profile, which has none.
    Profile(P),
}

/// The envelope of an event of this kind.
macro_rules! envelope {
    (Profiles $profile:ident $($reference:tt)*) => {
        Envelope::Profile($profile)
    };
    ($kind:ident $event:ident) => {
        Envelope::Upload(&$event.upload)
    };
    ($kind:ident $event:ident & mut) => {
        Envelope::Upload(&mut $event.upload)
    };
}

/// How many readings an event of this kind carries.
macro_rules! readings {
    (Readings $event:ident) => {
        $event.samples.len()
    };
    (Days $event:ident) => {
        $event.samples.len()
    };
    ($kind:ident $event:ident) => {
        1
    };
}

macro_rules! declare_events {
    ($($(#[$about:meta])* $stream:ident($record:ident) = $name:literal, $kind:ident { $($facts:tt)* };)*) => {
        /// An event of any stream; the variants are named after the streams.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $($(#[$about])* $stream(records::$record),)*
        }

        impl Event {
            /// The stream it belongs to.
            #[must_use]
            pub const fn stream(&self) -> Stream {
                match self {
                    $(Self::$stream(_) => Stream::$stream,)*
                }
            }

            const fn envelope(&self) -> Envelope<&Upload, &User> {
                match self {
                    $(Self::$stream(event) => envelope!($kind event),)*
                }
            }

            const fn envelope_mut(&mut self) -> Envelope<&mut Upload, &mut User> {
                match self {
                    $(Self::$stream(event) => envelope!($kind event & mut),)*
                }
            }

            /// How many readings it carries: samples, or 1 for a session or a profile.
            #[must_use]
            #[allow(unused_variables, reason = "a session is one, whatever it is")]
            pub const fn readings(&self) -> usize {
                match self {
                    $(Self::$stream(event) => readings!($kind event),)*
                }
            }

            /// Extra fields of the source.
            #[must_use]
            pub const fn extra(&self) -> &Extra {
                match self {
                    $(Self::$stream(event) => &event.extra,)*
                }
            }

            pub(crate) fn read(
                stream: Stream,
                writer: &WriterSchema,
                datum: &[u8],
            ) -> Result<(Self, Unknown), DecodeError> {
                match stream {
                    $(Stream::$stream => {
                        let (record, unknown) = read(writer, datum)?;
                        Ok((Self::$stream(record), unknown))
                    })*
                }
            }

            pub(crate) fn write(&self, writer: &DatumWriter, datum: &mut Vec<u8>) -> Result<(), String> {
                match self {
                    $(Self::$stream(event) => write(writer, event, datum),)*
                }
            }

            pub(crate) fn list<'a>(&'a self, fields: &mut Fields<'a>) {
                match self {
                    $(Self::$stream(event) => event.list(fields),)*
                }
            }

            pub(crate) fn store(&self, document: &mut bson::RawDocumentBuf) {
                match self {
                    $(Self::$stream(event) => event.store(document),)*
                }
            }
        }
    };
}
streams!(declare_events);

impl Event {
    /// The device's envelope; a profile has none.
    #[must_use]
    pub const fn upload(&self) -> Option<&Upload> {
        match self.envelope() {
            Envelope::Upload(upload) => Some(upload),
            Envelope::Profile(_) => None,
        }
    }

    /// The device's envelope, to change it.
    #[must_use]
    pub const fn upload_mut(&mut self) -> Option<&mut Upload> {
        match self.envelope_mut() {
            Envelope::Upload(upload) => Some(upload),
            Envelope::Profile(_) => None,
        }
    }

    /// Identity of the event.
    #[must_use]
    pub const fn event_id(&self) -> Uuid {
        match self.envelope() {
            Envelope::Upload(upload) => upload.event_id,
            Envelope::Profile(profile) => profile.event_id,
        }
    }

    /// Gives the event another identity.
    pub const fn set_event_id(&mut self, event_id: Uuid) {
        match self.envelope_mut() {
            Envelope::Upload(upload) => upload.event_id = event_id,
            Envelope::Profile(profile) => profile.event_id = event_id,
        }
    }

    /// The Kafka key: the device, or the user of a profile.
    #[must_use]
    pub const fn key(&self) -> Uuid {
        match self.envelope() {
            Envelope::Upload(upload) => upload.device_id,
            Envelope::Profile(profile) => profile.user_id,
        }
    }

    /// When it was sent.
    #[must_use]
    pub const fn synced_at(&self) -> UtcMillis {
        match self.envelope() {
            Envelope::Upload(upload) => upload.synced_at,
            Envelope::Profile(profile) => profile.synced_at,
        }
    }

    /// Gives the event another time of sending.
    pub const fn set_synced_at(&mut self, synced_at: UtcMillis) {
        match self.envelope_mut() {
            Envelope::Upload(upload) => upload.synced_at = synced_at,
            Envelope::Profile(profile) => profile.synced_at = synced_at,
        }
    }
}
