//! Chooses the reader of a record by the family of its file.

use super::{Context, Out, day, exercise, fitabase, heart_rate, minute, score, sleep, store, user};
use crate::family::Family;
use crate::value::Refusal;

impl Context<'_> {
    /// Reads one record: a JSON object, or a row of a table.
    pub(crate) fn read(&mut self, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
        match self.family {
            Family::HeartRate => heart_rate::read(self, bytes, out),
            Family::Steps | Family::Distance | Family::Calories => minute::read(self, bytes, out),
            Family::Activity(level) => day::activity(self, level, bytes, out),
            Family::RestingHeartRate => day::resting_heart_rate(self, bytes, out),
            Family::HeartRateZones => day::zones(self, bytes, out),
            Family::Sleep => sleep::read(self, bytes, out),
            Family::SleepScore => score::read(self, bytes, out),
            Family::Exercise => exercise::read(self, bytes, out),
            Family::TableHeartRate => fitabase::heart_rate(self, bytes, out),
            Family::TableSteps => fitabase::steps(self, bytes, out),
            Family::TableActivity => fitabase::activity(self, bytes, out),
            Family::StoreHeartRates | Family::StoreSteps => store::samples(self, bytes, out),
            Family::StoreSleeps => store::sleep(self, bytes, out),
            Family::StoreUsers => user::read(self, bytes, out),
        }
    }
}
