//! How much a run does: all of it, or a rehearsal in minutes.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The size of an experiment, by name: the parameter `profile` of the notebooks.
///
/// ```
/// use holoscope::config::Profile;
/// assert_eq!("quick".parse::<Profile>()?, Profile::Quick);
/// let said = Profile::parse("fast").unwrap_err().to_string();
/// assert_eq!(said, "no profile named \"fast\"; there are: quick, paper");
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A rehearsal in minutes: every step is taken, no number means much.
    Quick,
    /// The sizes whose results are reported.
    #[default]
    Paper,
}

impl Profile {
    /// Both, the smaller one first.
    pub const ALL: [Profile; 2] = [Profile::Quick, Profile::Paper];

    /// The profile of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the names that there are.
    pub fn parse(name: &str) -> Result<Profile> {
        let found = Profile::ALL.into_iter().find(|p| p.name() == name);
        found.ok_or_else(|| Error::NotFound {
            kind: "profile",
            name: name.to_owned(),
            known: Profile::ALL.map(|p| p.name().to_owned()).to_vec(),
        })
    }

    /// `quick` or `paper`.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Quick => "quick",
            Profile::Paper => "paper",
        }
    }

    /// Whether this is the rehearsal.
    pub fn is_quick(self) -> bool {
        self == Profile::Quick
    }
}

impl FromStr for Profile {
    type Err = Error;

    fn from_str(name: &str) -> Result<Profile> {
        Profile::parse(name)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn names_are_read_as_they_are_written() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse::<Profile>().unwrap(), profile);
            let json = serde_json::to_string(&profile).unwrap();
            assert_eq!(json, format!("\"{profile}\""));
        }
        assert!(Profile::parse("Quick").is_err() && Profile::parse("").is_err());
    }

    #[test]
    fn a_profile_sets_every_seed_and_a_rehearsal_is_shorter() {
        let [quick, paper] = Profile::ALL.map(|profile| Config::profile(profile, 7));
        for cfg in [&quick, &paper] {
            let seeds = [
                cfg.model.seed,
                cfg.data.seed,
                cfg.training.seed,
                cfg.sae.seed,
            ];
            assert_eq!(seeds, [7; 4]);
            cfg.training.validate().unwrap();
            cfg.sae.validate().unwrap();
        }
        assert_eq!(paper.training.steps, Config::default().training.steps);
        assert!(4 * quick.training.steps <= paper.training.steps);
        assert!(8 * quick.sae.steps <= paper.sae.steps);
        // What is trained is the same.
        assert_eq!(quick.model, paper.model);
        assert_eq!(quick.data, paper.data);
    }
}
