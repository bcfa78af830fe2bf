//! `dead-letters`: lists, shows, replays and discards them.

use anyhow::Context;
use pulseline_admin::dead_letters::{self, DeadLetter, Fate, ReplayConnections, Selection};
use pulseline_clients::registry::Registry;
use pulseline_runtime::config::ConfigError;
use pulseline_runtime::telemetry;

use crate::args::{DeadLetters, SelectionArgs};
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;

/// Longest detail in a list, in characters.
const DETAIL_CHARS: usize = 60;

pub(crate) async fn run(settings: Settings, command: &DeadLetters) -> anyhow::Result<Outcome> {
    settings.require_timescale()?;
    match command {
        DeadLetters::List {
            selection,
            all,
            limit,
            json,
        } => {
            let selection = Selection {
                with_resolved: *all,
                ..selected(selection)?
            };
            list(&settings, &selection, *limit, *json).await
        }
        DeadLetters::Show { origin, item } => show(&settings, origin, *item).await,
        DeadLetters::Replay { selection } => replay(settings, &selected(selection)?).await,
        DeadLetters::Discard { selection, why } => {
            let client = dead_letters::open(&settings.timescale).await?;
            let discarded = dead_letters::discard(&client, &selected(selection)?, why).await?;
            print::line(&format!("{discarded} dead letters discarded"));
            Ok(Outcome::Done)
        }
    }
}

fn selected(arguments: &SelectionArgs) -> Result<Selection, ConfigError> {
    let since = arguments.since.as_ref().map(|text| {
        let read = text.parse().or_else(|_| format!("{text}T00:00Z").parse());
        read.map_err(|error| ConfigError::Invalid(format!("--since: {error}")))
    });
    Ok(Selection {
        origins: arguments.origin.clone(),
        reason: arguments.reason.clone(),
        stream: arguments.stream.clone(),
        since: since.transpose()?,
        with_resolved: false,
    })
}

async fn list(settings: &Settings, selection: &Selection, limit: i64, json: bool) -> anyhow::Result<Outcome> {
    let client = dead_letters::open(&settings.timescale).await?;
    let (dead_letters, count) = dead_letters::list(&client, selection, limit).await?;
    if json {
        print::line(&serde_json::to_string_pretty(&dead_letters)?);
        return Ok(Outcome::Done);
    }
    for dead_letter in &dead_letters {
        let detail: String = dead_letter.detail.chars().take(DETAIL_CHARS).collect();
        let item = if dead_letter.item < 0 {
            String::new()
        } else {
            format!(" --item {}", dead_letter.item)
        };
        let resolution = dead_letter
            .resolution
            .as_ref()
            .map_or(String::new(), |how| format!(" [{how}]"));
        print::line(&format!(
            "{:.19}  {:<18} {}{item}  {detail}{resolution}",
            dead_letter.created_at.to_string(),
            dead_letter.reason,
            dead_letter.origin
        ));
    }
    let shown = dead_letters.len();
    print::line(&match usize::try_from(count) {
        Ok(count) if count > shown => format!("{shown} of {count} dead letters; --limit shows more"),
        _ => format!("{shown} dead letters"),
    });
    Ok(Outcome::Done)
}

async fn show(settings: &Settings, origin: &str, item: Option<i32>) -> anyhow::Result<Outcome> {
    let client = dead_letters::open(&settings.timescale).await?;
    let dead_letters = dead_letters::find(&client, origin).await?;
    // Without a registry the bytes cannot be decoded.
    let registry = &settings.registry;
    let registry = (!registry.url.is_empty())
        .then(|| Registry::new(registry))
        .transpose()?;
    let mut texts = Vec::new();
    for (dead_letter, payload) in &dead_letters {
        if item.is_none_or(|item| item == dead_letter.item) {
            let mut text = dead_letters::show(dead_letter, payload.as_deref());
            if let (Some(registry), Some(payload)) = (&registry, payload) {
                let read = dead_letters::avro::read(registry, dead_letter, payload).await;
                text.push_str(&read.unwrap_or_default());
            }
            texts.push(text);
        }
    }
    (!texts.is_empty()).then_some(()).with_context(|| {
        format!("there is no dead letter {origin}: `pulseline dead-letters list --all` lists them")
    })?;
    print::line(texts.join("\n").trim_end());
    Ok(Outcome::Done)
}

async fn replay(settings: Settings, selection: &Selection) -> anyhow::Result<Outcome> {
    settings.require_kafka()?;
    settings.require_mongo()?;
    telemetry::init_logs();
    let connections = ReplayConnections {
        kafka: settings.kafka,
        mongo: settings.mongo,
        timescale: settings.timescale,
    };
    let (mut done, mut kept) = (0, 0);
    let mut tell = |dead_letter: &DeadLetter, fate: &Fate| {
        if fate.is_done() {
            done += 1;
        } else {
            kept += 1;
        }
        print::line(&format!("{} {}: {fate}", dead_letter.origin, dead_letter.item));
    };
    let ended = dead_letters::replay(&connections, selection, &mut tell).await;
    print::line(&format!("{done} dead letters replayed, {kept} stay"));
    ended?;
    Ok(if kept > 0 {
        Outcome::Different
    } else {
        Outcome::Done
    })
}
