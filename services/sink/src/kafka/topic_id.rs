//! Kafka's id of a topic, which tells a recreated topic from its predecessor of the same name.
//!
//! The C library has `DescribeTopics`, its Rust wrapper does not: this is the only file with unsafe code.
#![allow(
    unsafe_code,
    reason = "rd_kafka_DescribeTopics has no safe wrapper; every pointer stays in this file"
)]

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::consumer::{Consumer, ConsumerContext};
use rdkafka::error::{IsError, KafkaError};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use uuid::Uuid;

/// How much longer than the request itself the program waits for its answer.
const GRACE_MS: c_int = 1_000;

/// An object of the C library, destroyed when dropped.
struct Owned<T> {
    pointer: *mut T,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes ownership of what a constructor of the C library returned; an error when it returned null.
    ///
    /// # Safety
    /// `pointer` is null, or has no owner yet and is of the kind that `destroy` destroys.
    unsafe fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Result<Self, KafkaError> {
        if pointer.is_null() {
            return Err(KafkaError::AdminOpCreation(
                "the client library returned nothing".into(),
            ));
        }
        Ok(Self { pointer, destroy })
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the caller of `new` promised ownership and the matching `destroy`; it is dropped once.
        unsafe { (self.destroy)(self.pointer) }
    }
}

/// The ids of `topics`; those that do not exist are left out. Blocks up to about `timeout`.
pub(super) fn describe<C: ConsumerContext>(
    consumer: &impl Consumer<C>,
    topics: &[&str],
    timeout: Duration,
) -> Result<HashMap<String, Uuid>, KafkaError> {
    let names = topics
        .iter()
        .map(|topic| CString::new(*topic))
        .collect::<Result<Vec<_>, _>>();
    let names = names.map_err(KafkaError::Nul)?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let client = consumer.client().native_ptr();
    let timeout_ms = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX - GRACE_MS);
    // SAFETY: the client outlives the borrow of `consumer`; `pointers` point into `names`, which outlive
    // the call, and the collection copies them. `Owned` gets each object fresh from its constructor,
    // with its own destructor. The options are made for DescribeTopics.
    let (collection, options, queue) = unsafe {
        (
            Owned::new(
                sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()),
                sys::rd_kafka_TopicCollection_destroy,
            )?,
            Owned::new(
                sys::rd_kafka_AdminOptions_new(
                    client,
                    sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
                ),
                sys::rd_kafka_AdminOptions_destroy,
            )?,
            Owned::new(sys::rd_kafka_queue_new(client), sys::rd_kafka_queue_destroy)?,
        )
    };
    let mut text: [c_char; 256] = [0; 256];
    // SAFETY: all pointers are alive; the text buffer has the length that is given. The request copies what it
    // needs and answers into the queue, which counts its own references should it be destroyed before.
    let event = unsafe {
        let code = sys::rd_kafka_AdminOptions_set_request_timeout(
            options.pointer,
            timeout_ms,
            text.as_mut_ptr(),
            text.len(),
        );
        if code.is_error() {
            return Err(KafkaError::AdminOpCreation(
                "a timeout that is out of range".into(),
            ));
        }
        sys::rd_kafka_DescribeTopics(client, collection.pointer, options.pointer, queue.pointer);
        sys::rd_kafka_queue_poll(queue.pointer, timeout_ms + GRACE_MS)
    };
    if event.is_null() {
        return Err(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut));
    }
    // SAFETY: the event is not null and was handed over to us by the queue.
    let event = unsafe { Owned::new(event, sys::rd_kafka_event_destroy)? };
    read(&event)
}

fn read(event: &Owned<sys::rd_kafka_event_t>) -> Result<HashMap<String, Uuid>, KafkaError> {
    let mut count = 0;
    // SAFETY: the event is alive; an answer of another kind gives a null result, which is checked.
    let described = unsafe {
        let code = sys::rd_kafka_event_error(event.pointer);
        if code.is_error() {
            return Err(KafkaError::AdminOp(code.into()));
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event.pointer);
        if result.is_null() {
            return Err(KafkaError::AdminOp(RDKafkaErrorCode::BadMessage));
        }
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() {
            &[][..]
        } else {
            std::slice::from_raw_parts(topics, count)
        }
    };
    let mut ids = HashMap::with_capacity(described.len());
    for topic in described {
        // SAFETY: the description, its name and its id belong to the event, which is alive; the name ends in zero.
        let (code, name, id) = unsafe {
            let code = sys::rd_kafka_error_code(sys::rd_kafka_TopicDescription_error(*topic));
            let name = CStr::from_ptr(sys::rd_kafka_TopicDescription_name(*topic));
            (
                code,
                name.to_string_lossy().into_owned(),
                sys::rd_kafka_TopicDescription_topic_id(*topic),
            )
        };
        match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR if !id.is_null() => {
                // SAFETY: checked not to be null; it belongs to the event.
                let (high, low) = unsafe {
                    (
                        sys::rd_kafka_Uuid_most_significant_bits(id),
                        sys::rd_kafka_Uuid_least_significant_bits(id),
                    )
                };
                ids.insert(
                    name,
                    Uuid::from_u64_pair(high.cast_unsigned(), low.cast_unsigned()),
                );
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID => {}
            other => return Err(KafkaError::AdminOp(other.into())),
        }
    }
    Ok(ids)
}
