//! A question costs the rows of the people and days that it names (P16): EXPLAIN of the guide's examples, the dashboards' panels
//! and the console's statements, with 20 people and with `PULSELINE_TEST_PEOPLE` (200; `scripts/test long` has 2,000).

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_sql::{Client, GenericClient, connect, migrate};
use pulseline_stack::{Server, Stack, StackOptions};
use pulseline_tests::picture::{self, WAREHOUSE, list, text};
use serde_json::Value;
use tokio_postgres::SimpleQueryMessage;

const PEOPLE: &str = include_str!("people.sql");
/// Person 1 and their device.
const USER: &str = "00000000-0000-0000-0000-000000000001";
const DEVICE: &str = "10000000-0000-0000-0000-000000000001";
/// A dashboard's range, and its wall clocks.
const RANGE: (&str, &str) = ("2019-11-06T00:00:00Z", "2019-11-08T12:00:00Z");
const CLOCKS: (&str, &str) = ("2019-11-05 12:00", "2019-11-09 02:00");
/// Before and after all days.
const ALL: (&str, &str) = ("-infinity", "infinity");
/// Rows read for each row that the answer rests on.
const MULTIPLE: u64 = 3;
/// Rows of tables that have a row for each device or person of the question, and the first open day.
const BESIDES: u64 = 20;
/// How far apart the same question may be among few and many people.
const APART: u64 = 4;
const FEW: usize = 20;
/// People that are added at a time.
const ADDED: usize = 500;
/// With 200 people a table has a few pages, which the planner would rather read whole; with many it would not.
const BY_INDEX: &str = "set enable_seqscan = off; set enable_bitmapscan = off";
/// Nodes that read a table.
const SCANS: [&str; 4] = ["Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"];

struct Question {
    name: String,
    sql: String,
    rests_on: String,
}

impl Question {
    /// What its relations say that it rests on, where it asks for these wall clocks.
    fn new(name: String, sql: String, clocks: (&str, &str)) -> Result<Self> {
        let words = sql.split(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c)));
        let relations = words.filter(|word| word.starts_with("agg.") || word.starts_with("stage."));
        let mut counts = Vec::new();
        for relation in relations {
            let count = rests_on(relation).with_context(|| format!("{name}: {sql}"))?;
            counts.push(count.replace("{from}", clocks.0).replace("{to}", clocks.1));
        }
        ensure!(!counts.is_empty(), "{name} asks nothing: {sql}");
        let rests_on = format!("select {}", counts.join(" + "));
        Ok(Self { name, sql, rests_on })
    }

    fn is_of_one(&self) -> bool {
        self.sql.contains(USER) || self.sql.contains(DEVICE)
    }
}

/// Counts the stored rows that a relation's rows in the range come from.
fn rests_on(relation: &str) -> Result<String> {
    let count = match relation {
        "agg.stored_user_days" => {
            "select count(*) from agg.stored_user_days where bucket between '{from}' and '{to}'"
        }
        // Also the birth dates.
        name if name.starts_with("agg.by_age_group_") => {
            "select count(*) + count(distinct user_id) from agg.stored_user_days where bucket between '{from}' and '{to}'"
        }
        // What was usual rests on the days before.
        "agg.user_daily_baselines" => "select count(*) from agg.stored_user_days where user_id = '{user}'",
        name if name.starts_with("agg.user_") => {
            "select count(*) from agg.stored_user_days where user_id = '{user}' and bucket between '{from}' and '{to}'"
        }
        "stage.user_quarters" => {
            "select count(heart_readings) + count(steps_readings) + count(distance_readings) + count(energy_readings) \
             from stage.quarters where device_id = '{device}' and bucket between '{from}' and '{to}'"
        }
        "stage.heart_rates_15m" => {
            "select count(*) from stage.heart_rates_15m where device_id = '{device}' and bucket >= '2019-11-06' and bucket < '2019-11-07'"
        }
        // A night that began in the range ends within a day.
        "stage.user_sleep_levels" => {
            "select count(distinct log_id) + count(*) from raw.sleeps join raw.sleep_levels using (device_id, log_id) \
             where device_id = '{device}' and end_local between '{from}' and timestamp '{to}' + interval '1 day'"
        }
        "stage.user_sleeps" => {
            "select count(distinct log_id) + count(*) from raw.sleeps join raw.sleep_levels using (device_id, log_id) \
             where device_id = '{device}' and end_local between '{from}' and '{to}'"
        }
        "stage.users" => "select count(*) from raw.users",
        other => bail!("what does {other} rest on?"),
    };
    let count = count.replace("{user}", USER).replace("{device}", DEVICE);
    Ok(format!("({count})"))
}

/// The guide's examples.
fn examples() -> Result<Vec<Question>> {
    let guide = picture::read("docs/guides/query-the-warehouse.md")?;
    let blocks = guide
        .split("```sql\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    blocks
        .map(|block| {
            let sql = block.replace("device_id = '…'", &format!("device_id = '{DEVICE}'"));
            let sql = sql.replace("user_id = '…'", &format!("user_id = '{USER}'"));
            let (name, sql) = sql.split_once('\n').context("an example without a comment")?;
            let sql = sql.trim_end().trim_end_matches(';').to_owned();
            Question::new(name.to_owned(), sql, ALL)
        })
        .collect()
}

/// The panels of the health and cohort dashboards.
fn panels() -> Result<Vec<Question>> {
    let asked = picture::queries()?.into_iter();
    asked
        .filter(|query| query.source == WAREHOUSE)
        .map(|query| {
            let sql = picture::expand(&query.text, RANGE, &[USER.to_owned()])?;
            Question::new(query.place, sql, CLOCKS)
        })
        .collect()
}

/// The statements of the console's page of people.
fn of_console() -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    for name in ["people", "days", "nights", "quarters"] {
        let sql = picture::read(&format!("sql/queries/console/{name}.sql"))?;
        let (_, sql) = sql.split_once('\n').context("a statement without a comment")?;
        let first = if name == "people" {
            "1000".to_owned()
        } else {
            format!("'{USER}'")
        };
        // The day that is asked for is the first, which has quarters of one day.
        let sql = sql
            .replace("$1", &first)
            .replace("$2", "'2019-11-06'")
            .replace("$3", "'2019-11-08'");
        let clocks = if name == "quarters" {
            ("2019-11-06 00:00", "2019-11-06 23:59")
        } else {
            ("2019-11-06 00:00", "2019-11-08 23:59")
        };
        let mut question = Question::new(format!("console: {name}"), sql, clocks)?;
        if name == "people" {
            // Each one, their device, and their first and last day.
            question.rests_on = "select 4 * count(*) from raw.users".to_owned();
        }
        questions.push(question);
    }
    Ok(questions)
}

async fn server() -> Result<(Stack, Client)> {
    let options = StackOptions {
        root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.stack"),
        name: "test-questions".to_owned(),
        fresh: true,
    };
    let stack = Stack::start_one(&options, Server::Timescale, &|_: &str| ()).await?;
    let timescale = TimescaleConfig {
        url: Secret::new(stack.endpoints().timescale_url.clone()),
        ..TimescaleConfig::default()
    };
    migrate(&timescale).await?;
    let client = connect(&timescale, "test").await?;
    Ok((stack, client))
}

/// Adds people; stores the days that have ended everywhere, and the open one, which has changed since.
async fn fill(client: &Client, from: usize, until: usize) -> Result<()> {
    for from in (from..=until).step_by(ADDED) {
        let last = until.min(from + ADDED - 1);
        let people = PEOPLE
            .replace("{from}", &from.to_string())
            .replace("{until}", &last.to_string());
        client.batch_execute(&format!("begin; {people} commit")).await?;
    }
    for stream in ["heart_rates", "steps", "distances", "calories"] {
        for relation in [format!("stage.{stream}_15m"), format!("agg.{stream}_1d")] {
            let refresh =
                format!("call refresh_continuous_aggregate('{relation}', null, timestamp '2019-11-13')");
            client.batch_execute(&refresh).await.context(refresh)?;
        }
    }
    client
        .batch_execute(
            "delete from agg.stored_user_days; delete from ops.dirty_user_days; delete from ops.dirty_days; \
             insert into agg.stored_user_days \
                 select * from stage.compute_user_days(array(select user_id from raw.users), '2019-11-04', '2019-11-14'); \
             insert into ops.dirty_user_days (user_id, local_date) select user_id, '2019-11-13' from raw.users; \
             insert into ops.dirty_days (stream, device_id, local_date) select 'steps', device_id, '2019-11-13' from raw.devices",
        )
        .await?;
    let stored = rows(client, "select count(*) from agg.stored_user_days").await?;
    ensure!(stored == 10 * u64::try_from(until)?, "{stored} days are stored");
    client.batch_execute("analyze").await?;
    Ok(())
}

/// The number that a statement answers with.
async fn rows(client: &Client, sql: &str) -> Result<u64> {
    Ok(said(client, sql).await?.parse()?)
}

async fn said(client: &Client, sql: &str) -> Result<String> {
    let messages = client.bare().simple_query(sql).await;
    let messages = messages.with_context(|| sql.to_owned())?;
    let mut rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(rows.next().context("no row")?.to_owned())
}

/// Rows that a plan's scans read, those that a filter removed included.
fn read(node: &Value) -> f64 {
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    let own = if SCANS.contains(&text(node, "/Node Type")) {
        let kept = number("Actual Rows") + number("Rows Removed by Filter");
        (kept + number("Rows Removed by Index Recheck")) * number("Actual Loops")
    } else {
        0.0
    };
    own + list(node, "/Plans").map(read).sum::<f64>()
}

async fn cost(client: &Client, question: &Question) -> Result<u64> {
    let explain = format!("explain (analyze, timing off, format json) {}", question.sql);
    let plans: Value = serde_json::from_str(&said(client, &explain).await?)?;
    let read = read(&plans[0]["Plan"]).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small count"
    )]
    Ok(read as u64)
}

/// Asks every question; returns its cost.
async fn ask(client: &Client, questions: &[Question], wrong: &mut Vec<String>) -> Result<Vec<u64>> {
    client.batch_execute(BY_INDEX).await?;
    let mut costs = Vec::new();
    for question in questions {
        let cost = cost(client, question).await?;
        let rests_on = rows(client, &question.rests_on).await?;
        let Question { name, sql, .. } = question;
        if rests_on == 0 || cost > MULTIPLE * rests_on + BESIDES {
            wrong.push(format!("{name} reads {cost} rows and rests on {rests_on}: {sql}"));
        }
        costs.push(cost);
    }
    Ok(costs)
}

#[tokio::test]
async fn p_16_a_question_reads_the_rows_of_its_people_and_days_however_many_others_there_are() -> Result<()> {
    let questions = examples()?
        .into_iter()
        .chain(panels()?)
        .chain(of_console()?)
        .collect::<Vec<_>>();
    ensure!(questions.len() > 35, "only {} questions", questions.len());
    let people = std::env::var("PULSELINE_TEST_PEOPLE").map_or(Ok(200), |text| text.parse::<usize>())?;
    ensure!(people > FEW, "PULSELINE_TEST_PEOPLE must be more than {FEW}");
    let (stack, client) = server().await?;
    let mut wrong = Vec::new();
    fill(&client, 1, FEW).await?;
    let few = ask(&client, &questions, &mut wrong).await?;
    fill(&client, FEW + 1, people).await?;
    let many = ask(&client, &questions, &mut wrong).await?;
    for (question, (few, many)) in questions.iter().zip(few.iter().zip(&many)) {
        if question.is_of_one() && few.abs_diff(*many) > APART {
            let Question { name, sql, .. } = question;
            wrong.push(format!(
                "{name} reads {few} rows among {FEW} people and {many} among {people}: {sql}"
            ));
        }
    }
    stack.stop().await?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
