//! Runs the example queries of docs/guides/query-the-warehouse.md, and the same figures from raw by plain SQL.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use pulseline_tests::World;
use tokio_postgres::{Client, SimpleQueryMessage};

/// Number of times that each query runs in a round; the median counts.
const ASKED: usize = 3;

/// Queries on figures and on raw. They name people with one device, so that plain SQL need not choose between
/// devices, and some use fewer days than that page.
const QUESTIONS: [(&str, &str, &str); 6] = [
    (
        "a person's days",
        include_str!("read/days.sql"),
        include_str!("read/days_raw.sql"),
    ),
    (
        "everybody's weeks",
        include_str!("read/weeks.sql"),
        include_str!("read/weeks_raw.sql"),
    ),
    (
        "a person's nights",
        include_str!("read/nights.sql"),
        include_str!("read/nights_raw.sql"),
    ),
    (
        "a person's regularity",
        include_str!("read/months.sql"),
        include_str!("read/months_raw.sql"),
    ),
    (
        "everybody's unusual days",
        include_str!("read/unusual.sql"),
        include_str!("read/unusual_raw.sql"),
    ),
    (
        "a day in quarters",
        include_str!("read/quarters.sql"),
        include_str!("read/quarters_raw.sql"),
    ),
];
/// Common part of the queries for sleeps in raw.
const NIGHTS: &str = include_str!("read/nights_cte.sql");

/// Milliseconds of a query.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) question: &'static str,
    pub(crate) figures: f64,
    pub(crate) raw: f64,
}

/// Runs every query, and refuses different results.
pub(crate) async fn ask(world: &World) -> Result<Vec<Asked>> {
    let client = world.warehouse().await?.into_bare();
    let about = About::find(&client).await?;
    let mut asked = Vec::new();
    for (question, figures, raw) in QUESTIONS {
        let (figures, raw) = (about.fill(figures), about.fill(raw));
        let (mut of_figures, mut of_raw) = (Vec::new(), Vec::new());
        for _ in 0..ASKED {
            let (took, said) = answer(&client, &figures).await.context(question)?;
            of_figures.push(took);
            let (took, expected) = answer(&client, &raw).await.context(question)?;
            of_raw.push(took);
            if let Some((said, expected)) = said
                .iter()
                .zip(&expected)
                .find(|(said, expected)| said != expected)
            {
                anyhow::bail!("{question}: {said:?} in figures, {expected:?} in raw");
            }
            ensure!(said.len() == expected.len(), "{question}: other rows");
        }
        asked.push(Asked {
            question,
            figures: median(of_figures),
            raw: median(of_raw),
        });
    }
    Ok(asked)
}

/// The people and days of the queries.
struct About {
    user: String,
    device: String,
    people: String,
    day: String,
}

impl About {
    /// All people with one device; the first of them; the day in the middle.
    async fn find(client: &Client) -> Result<Self> {
        let found = "select min(user_id::text), (array_agg(device_id::text order by user_id::text))[1], \
            array_agg(user_id)::text, (select percentile_disc(0.5) within group (order by bucket)::date::text from agg.heart_rates_1d) \
            from raw.devices d where not exists (select from raw.devices o where o.user_id = d.user_id and o.device_id <> d.device_id)";
        let (_, rows) = answer(client, found).await?;
        let of = |column: usize| {
            let value = rows.first().and_then(|row| row.get(column).cloned().flatten());
            value.context("no person has exactly one device")
        };
        Ok(Self {
            user: of(0)?,
            device: of(1)?,
            people: of(2)?,
            day: of(3)?,
        })
    }

    fn fill(&self, sql: &str) -> String {
        sql.replace("{nights}", NIGHTS)
            .replace("{user}", &self.user)
            .replace("{device}", &self.device)
            .replace("{people}", &self.people)
            .replace("{day}", &self.day)
    }
}

type Answer = Vec<Vec<Option<String>>>;

/// Milliseconds, and the rows as text.
async fn answer(client: &Client, sql: &str) -> Result<(f64, Answer)> {
    let began = Instant::now();
    let messages = client.simple_query(sql).await?;
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let texts = rows.map(|row| {
        (0..row.len())
            .map(|column| row.get(column).map(str::to_owned))
            .collect()
    });
    Ok((took, texts.collect()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
