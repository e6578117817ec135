//! Why an image must be built.

use super::inputs::Inputs;
use std::fmt;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There is no image of this workspace.
    Never,
    Sources,
    /// Another rustc: the old and the new version.
    Compiler(String, String),
    Processor,
    Settings,
    /// This binary builds differently from the one that built last.
    Recipe,
    Interrupted,
    /// Files that are missing or have changed since they were built.
    Damaged(Vec<PathBuf>),
}

impl Reason {
    /// Why the image built from `was` cannot be used for `is`.
    pub fn between(was: Option<&Inputs>, is: &Inputs) -> Self {
        match was {
            None => Self::Never,
            Some(was) if was.compiler != is.compiler => {
                Self::Compiler(was.compiler.clone(), is.compiler.clone())
            }
            Some(was) if was.processor != is.processor => Self::Processor,
            Some(was) if was.recipe != is.recipe => Self::Recipe,
            Some(was) if was.settings != is.settings => Self::Settings,
            Some(_) => Self::Sources,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("it has not been built here yet"),
            Self::Sources => f.write_str("its sources have changed"),
            Self::Compiler(was, is) => write!(f, "it was built by {was}, and this is {is}"),
            Self::Processor => f.write_str("it was built for another processor"),
            Self::Settings => f.write_str("cargo's settings in the environment have changed"),
            Self::Recipe => f.write_str("another version of holoscope has built it"),
            Self::Interrupted => f.write_str("a build was interrupted"),
            Self::Damaged(files) => match &files[..] {
                [] => f.write_str("it is damaged"),
                [file] => write!(f, "{} is damaged or gone", file.display()),
                [file, more @ ..] => {
                    let more = more.len();
                    write!(f, "{} and {more} more are damaged or gone", file.display())
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::stamp::tests::inputs;

    #[test]
    fn a_build_says_why_it_builds() {
        let was = inputs("/w".as_ref());
        let change = |change: &dyn Fn(&mut Inputs)| {
            let mut is = was.clone();
            change(&mut is);
            Reason::between(Some(&was), &is).to_string()
        };
        assert_eq!(
            Reason::between(None, &was).to_string(),
            "it has not been built here yet"
        );
        assert_eq!(change(&|is| is.sources.clear()), "its sources have changed");
        assert_eq!(
            change(&|is| is.compiler = "rustc 2".to_owned()),
            "it was built by rustc 1, and this is rustc 2"
        );
        assert!(change(&|is| is.processor.clear()).contains("processor"));
        assert!(change(&|is| is.settings.push('x')).contains("settings"));
        assert!(change(&|is| is.recipe.push('x')).contains("version of holoscope"));
        let damaged = Reason::Damaged(vec!["/a.so".into(), "/b".into(), "/c".into()]);
        assert_eq!(damaged.to_string(), "/a.so and 2 more are damaged or gone");
    }
}
