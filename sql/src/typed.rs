//! Statements that are not prepared on their connection: a pooler in transaction mode may run each on another connection.

use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::join3;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, GenericClient, Row};

/// The types that parameters may have, in the order they are tried: the first one that takes a Rust type wins.
const TYPES: [Type; 19] = [
    Type::BOOL,
    Type::INT2,
    Type::INT4,
    Type::INT8,
    Type::FLOAT4,
    Type::FLOAT8,
    Type::TEXT,
    Type::BYTEA,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMP,
    Type::UUID,
    Type::JSONB,
    Type::BOOL_ARRAY,
    Type::INT2_ARRAY,
    Type::INT4_ARRAY,
    Type::INT8_ARRAY,
    Type::FLOAT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
];

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How a reader sends statements: with parameter types, so that nothing prepared depends on a session.
#[derive(Clone, Copy, Debug)]
pub struct Typed {
    /// Longest that one may run. None inside a transaction, which has set it.
    pub(crate) limit: Option<Duration>,
}

impl Typed {
    /// Settings of a reader's transaction that has begun. JIT compilation is off: a query over the chunks of three years is
    /// compiled for seconds and runs for milliseconds (`verify` took 145 s with it and 17 s without).
    pub(crate) fn settings(limit: Duration) -> String {
        format!(
            "set local statement_timeout = {}; set local jit = off",
            limit.as_millis()
        )
    }

    /// All rows of a statement.
    pub(crate) async fn query<C: GenericClient + Sync>(
        self,
        client: &C,
        text: &str,
        values: Values<'_>,
    ) -> Result<Vec<Row>, Error> {
        self.alone(client, client.query_typed(text, &typed(values))).await
    }

    /// The row of a statement that has exactly one.
    pub(crate) async fn query_one<C: GenericClient + Sync>(
        self,
        client: &C,
        text: &str,
        values: Values<'_>,
    ) -> Result<Row, Error> {
        self.alone(client, client.query_typed_one(text, &typed(values)))
            .await
    }

    /// Runs a statement; says how many rows it changed.
    pub(crate) async fn execute<C: GenericClient + Sync>(
        self,
        client: &C,
        text: &str,
        values: Values<'_>,
    ) -> Result<u64, Error> {
        self.alone(client, client.execute_typed(text, &typed(values)))
            .await
    }

    /// Runs in its own transaction, so that the limit never becomes a setting of a session that another client gets. All three
    /// statements are sent at once: this costs no round trip, and no other task comes between them.
    async fn alone<T, C: GenericClient + Sync>(
        self,
        client: &C,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(limit) = self.limit else {
            return work.await;
        };
        let begin = format!("begin; {}", Self::settings(limit));
        let (begun, said, ended) =
            join3(client.batch_execute(&begin), work, client.batch_execute("commit")).await;
        begun?;
        let said = said?;
        ended?;
        Ok(said)
    }
}

fn typed<'a>(values: Values<'a>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    values.iter().map(|value| (*value, type_of(*value))).collect()
}

/// The type that a parameter is sent as. For an unknown type the driver reports an error.
fn type_of(value: &(dyn ToSql + Sync)) -> Type {
    let fits = |sent: &&Type| value.to_sql_checked(sent, &mut BytesMut::new()).is_ok();
    TYPES.iter().find(fits).cloned().unwrap_or(Type::UNKNOWN)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::periods::Midnight;

    #[test]
    fn a_value_and_its_absence_have_a_type() {
        let said = |value: &(dyn ToSql + Sync)| type_of(value);
        assert_eq!(said(&true), Type::BOOL);
        assert_eq!(said(&1_i16), Type::INT2);
        assert_eq!(said(&1_i32), Type::INT4);
        assert_eq!(said(&1_i64), Type::INT8);
        assert_eq!(said(&1.5_f64), Type::FLOAT8);
        assert_eq!(said(&"x"), Type::TEXT);
        assert_eq!(said(&String::from("x")), Type::TEXT);
        assert_eq!(said(&None::<String>), Type::TEXT);
        assert_eq!(said(&None::<i64>), Type::INT8);
        assert_eq!(said(&vec![1_u8]), Type::BYTEA);
        assert_eq!(said(&SystemTime::UNIX_EPOCH), Type::TIMESTAMPTZ);
        assert_eq!(said(&Midnight(18_201)), Type::TIMESTAMP);
        assert_eq!(said(&uuid::Uuid::nil()), Type::UUID);
        assert_eq!(said(&serde_json::Value::Null), Type::JSONB);
        assert_eq!(said(&vec!["x"]), Type::TEXT_ARRAY);
        assert_eq!(said(&vec![1_i32]), Type::INT4_ARRAY);
        assert_eq!(said(&vec![1_i64]), Type::INT8_ARRAY);
    }
}
