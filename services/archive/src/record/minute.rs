//! `{"dateTime": …, "value": "1.39"}`: steps, distance and energy of a minute.

use pulseline_schemas::{Calorie, Distance, Step};

use super::dated::Dated;
use super::{Context, Out, Reading, Sample, parse};
use crate::family::Family;
use crate::value::{Number, Refusal};

/// Millimetres in the files' centimetre.
const MM_PER_CM: f64 = 10.0;
/// Thousandths of a kilocalorie in one.
const MILLIKCAL_PER_KCAL: f64 = 1_000.0;

pub(super) fn read(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    let mut record: Dated<Number> = parse(bytes)?;
    let stamp = record.at()?;
    let value = record.take_value()?;
    let number = match context.family {
        Family::Distance => value.scaled(MM_PER_CM, "value")?,
        Family::Calories => value.scaled(MILLIKCAL_PER_KCAL, "value")?,
        _ => value.count("value")?,
    };
    let number = number.ok_or_else(|| Refusal::missing("value"))?;
    let at = context.clock()?.reading(stamp);
    let ts = at.local;
    let sample = match context.family {
        Family::Distance => Sample::Distance(Distance {
            ts,
            distance_mm: number,
        }),
        Family::Calories => Sample::Calorie(Calorie {
            ts,
            millikcal: number,
        }),
        _ => Sample::Step(Step { ts, steps: number }),
    };
    let unknown = record.unknown;
    context.push(out, Reading::Sample { at, sample, unknown })
}
