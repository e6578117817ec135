//! Progress of a build: the units that cargo has finished, and how long the rest will take.
//!
//! The units of the last complete build and their times are stored next to the images.
//! Before the first build they are estimated (`first_build`).

use crate::error::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

const RECORD: &str = "units.json";
/// With fewer finished units and no record, no estimate is made.
const ENOUGH: usize = 10;

/// Seconds by unit, as measured when it was last built.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record(BTreeMap<String, f64>);

impl Record {
    pub fn read(home: &Path) -> Self {
        std::fs::read_to_string(home.join(RECORD))
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    pub fn write(&self, home: &Path) -> Result<()> {
        crate::files::write_if_changed(&home.join(RECORD), &serde_json::to_string(self)?)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, seconds)| (&**name, *seconds))
    }
}

impl FromIterator<(String, f64)> for Record {
    fn from_iter<I: IntoIterator<Item = (String, f64)>>(units: I) -> Self {
        Self(units.into_iter().collect())
    }
}

/// The progress of a build.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub done: usize,
    /// At least `done`; 0 when unknown.
    pub total: usize,
    pub elapsed: Duration,
    /// The estimated time for the rest, if there is an estimate.
    pub left: Option<Duration>,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |time: Duration| {
            let seconds = time.as_secs();
            format!("{}:{:02}", seconds / 60, seconds % 60)
        };
        write!(
            f,
            "{}/{} crates, {}",
            self.done,
            self.total,
            clock(self.elapsed)
        )?;
        match self.left {
            Some(left) => write!(f, ", about {} left", clock(left)),
            None => Ok(()),
        }
    }
}

/// Counts the units of a running build.
#[derive(Debug, Clone)]
pub struct Units {
    before: Record,
    /// Whether `before` is in seconds; estimates are shares of the whole.
    measured: bool,
    finished: Record,
    /// The number of units that were built, not found up to date.
    built: usize,
    last: Duration,
}

impl Units {
    /// For a build of units with recorded times.
    pub fn measured(before: Record) -> Self {
        Self::new(before, true)
    }

    /// For a first build, whose units' shares of the whole are estimated.
    pub fn guessed(shares: Record) -> Self {
        Self::new(shares, false)
    }

    fn new(before: Record, measured: bool) -> Self {
        Self {
            before,
            measured,
            finished: Record::default(),
            built: 0,
            last: Duration::ZERO,
        }
    }

    /// Counts one of cargo's `compiler-artifact` messages, received after `elapsed`.
    pub fn finish(&mut self, artifact: &Value, elapsed: Duration) {
        let name = self.name(artifact);
        let known = self.before.0.get(&name).copied();
        let fresh = artifact["fresh"].as_bool().unwrap_or(false);
        let seconds = match (fresh, known) {
            (true, known) => known.unwrap_or(0.0),
            (false, _) => elapsed.saturating_sub(self.last).as_secs_f64(),
        };
        self.built += usize::from(!fresh);
        self.last = elapsed;
        self.finished.0.insert(name, seconds);
    }

    /// A unit's name; the same crate may be built twice, for the compiler and for the target.
    fn name(&self, artifact: &Value) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = text(&artifact["target"]["kind"][0]);
        let mut name = format!("{} {kind}", text(&artifact["package_id"]));
        while self.finished.0.contains_key(&name) {
            name.push('+');
        }
        name
    }

    pub fn progress(&self, elapsed: Duration) -> Progress {
        let done = self.finished.0.len();
        let total = self.before.0.len();
        Progress {
            done,
            total: total.max(done),
            elapsed,
            left: self.left(elapsed),
        }
    }

    fn left(&self, elapsed: Duration) -> Option<Duration> {
        // Recorded times depend on the load of the machine then, so they are scaled by
        // the speed of this build.
        let (mut then, mut rest) = (0.0, 0.0);
        for (name, seconds) in &self.before.0 {
            match self.finished.0.contains_key(name) {
                true => then += seconds,
                false => rest += seconds,
            }
        }
        let built_all = self.built >= ENOUGH && then > 0.0;
        let pace = match built_all {
            true => self.last.as_secs_f64() / then,
            false if self.measured => 1.0,
            false => return None,
        };
        let idle = (elapsed.saturating_sub(self.last)).as_secs_f64();
        // No estimate once a unit exceeds its recorded time.
        Duration::try_from_secs_f64(rest * pace - idle).ok()
    }

    /// The recorded times, for the next build.
    pub fn record(self) -> Record {
        self.finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn artifact(name: &str, fresh: bool) -> Value {
        json!({"package_id": name, "target": {"kind": ["lib"]}, "fresh": fresh})
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_first_build_knows_shares() {
        let share = |n: u64| (format!("{n} lib"), if n > 20 { 3e6 } else { 1e6 });
        let mut units = Units::guessed((1..=40).map(share).collect());
        units.finish(&artifact("1", false), seconds(1));
        assert_eq!(units.progress(seconds(1)).left, None);
        for n in 2..=20 {
            units.finish(&artifact(&n.to_string(), false), seconds(n));
        }
        let progress = units.progress(seconds(20));
        assert_eq!((progress.done, progress.total), (20, 40));
        assert_eq!(progress.left, Some(seconds(60)));
        assert_eq!(progress.to_string(), "20/40 crates, 0:20, about 1:00 left");
        assert_eq!(units.progress(seconds(50)).left, Some(seconds(30)));
    }

    #[test]
    fn a_later_build_knows_what_takes_long() {
        let mut units = Units::measured(Record::default());
        units.finish(&artifact("small", false), seconds(1));
        units.finish(&artifact("library", false), seconds(61));
        let record = units.record();
        let mut units = Units::measured(record.clone());
        units.finish(&artifact("small", true), seconds(1));
        assert_eq!(units.progress(seconds(1)).left, Some(seconds(60)));
        assert_eq!(units.progress(seconds(11)).left, Some(seconds(50)));
        assert_eq!(units.progress(seconds(99)).left, None);
        units.finish(&artifact("library", false), seconds(51));
        assert_eq!(units.progress(seconds(51)).left, Some(seconds(0)));
        // A unit that was up to date keeps its time.
        assert_eq!(units.record().0["small lib"], 1.0);
    }

    #[test]
    fn the_same_crate_built_twice_is_two_units() {
        let mut units = Units::measured(Record::default());
        units.finish(&artifact("syn", false), seconds(1));
        units.finish(&artifact("syn", false), seconds(2));
        assert_eq!(units.progress(seconds(2)).done, 2);
    }
}
