//! COPY of ready rows into hypertables like raw's.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, pin_mut};
use pulseline_sql::{Client, GenericClient};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

/// Rows of a COPY, as the loader's batches.
const BATCH: usize = 20_000;
const TABLES: [&str; 4] = ["heart_rates", "steps", "distances", "calories"];
/// Of the binary format: signature, flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A value as the server sends it, which is how it takes it back.
struct Raw(Option<Vec<u8>>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Some(raw.to_vec())))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Copies the rows of raw into tables of the same shape, chunks and keys; gives their number.
pub(crate) async fn copy(client: &Client) -> Result<(Duration, u64)> {
    client
        .batch_execute("drop schema if exists bench cascade; create schema bench")
        .await?;
    let (mut took, mut copied) = (Duration::ZERO, 0);
    for table in TABLES {
        let make = format!(
            "create table bench.{table} (like raw.{table} including all); \
             select create_hypertable('bench.{table}', by_range('local_ts', interval '1 day'), create_default_indexes => false)"
        );
        client.batch_execute(&make).await?;
        let rows = client
            .query(&format!("select * from raw.{table} order by synced_at"), &[])
            .await?;
        copied += rows.len() as u64;
        let batches: Vec<Bytes> = rows.chunks(BATCH).map(binary).collect::<Result<_>>()?;
        drop(rows);
        let began = Instant::now();
        for batch in batches {
            let sink = client
                .bare()
                .copy_in(&format!("copy bench.{table} from stdin with (format binary)"))
                .await?;
            pin_mut!(sink);
            sink.send(batch).await?;
            sink.finish().await?;
        }
        took += began.elapsed();
    }
    client.batch_execute("drop schema bench cascade").await?;
    Ok((took, copied))
}

fn binary(rows: &[Row]) -> Result<Bytes> {
    let mut bytes = BytesMut::from(HEADER);
    for row in rows {
        bytes.put_i16(i16::try_from(row.len())?);
        for column in 0..row.len() {
            match row.try_get::<_, Raw>(column)? {
                Raw(Some(value)) => {
                    bytes.put_i32(i32::try_from(value.len())?);
                    bytes.put_slice(&value);
                }
                Raw(None) => bytes.put_i32(-1),
            }
        }
    }
    bytes.put_i16(-1);
    Ok(bytes.freeze())
}
