//! `holoscope kernel`: the process that Jupyter starts.

use super::arguments::KernelArgs;
use super::waiting::{Reminder, text};
use crate::error::Result;
use crate::image::News;
use crate::jupyter;
use crate::jupyter::engine::{Background, Engine, HelpLink, KernelInfo, Language, LanguageInfo};
use crate::read::completeness;
use crate::run::output::event::{Event, StreamName};
use crate::run::process::session::name_this_kernel;
use crate::session::Session;
use crate::session::engine::SessionEngine;
use crate::session::workspace::Workspace;
use crate::trace;
use std::path::PathBuf;

/// Serves until a client shuts the kernel down.
pub fn serve(args: &KernelArgs) -> Result<i32> {
    trace::mark("process");
    name_this_kernel(&uuid::Uuid::new_v4().simple().to_string());
    let workspace = Workspace::acquire()?;
    // SAFETY: the kernel's threads start below.
    unsafe { workspace.export()? };
    let temporary = workspace.temporary();
    let start = move |background: Background| -> Result<Box<dyn Engine>> {
        let mut remind = Reminder::new();
        let image = crate::image::build(&mut |news| {
            let seldom = matches!(news, News::Progress(_)) && !remind.is_due();
            if !seldom {
                background(told(&news));
            }
        })?;
        trace::mark("image");
        let between = Box::new(move |event| background(event));
        let session = Session::start(workspace, &image, between)?;
        Ok(Box::new(SessionEngine::new(session)))
    };
    let language = Language {
        info: info(),
        is_complete: completeness::of,
    };
    let served = jupyter::serve(&args.connection_file, language, history().as_deref(), start);
    if let Err(error) = served {
        temporary.remove();
        return Err(error.into());
    }
    // The session is dropped only if it had time to end; the process ends without running
    // destructors.
    crate::session::ending::end(&temporary)
}

/// Build news as output of the waiting cell; also written to the server's log.
fn told(news: &News) -> Event {
    let line = text(news);
    super::terminal::say(&line);
    Event::Stream {
        name: StreamName::Stderr,
        text: format!("{line}\n"),
    }
}

/// Where the input history is stored: `HOLOSCOPE_HISTORY` or a file in the platform's data folder.
fn history() -> Option<PathBuf> {
    match std::env::var_os("HOLOSCOPE_HISTORY") {
        Some(file) if file.is_empty() => None,
        Some(file) => Some(file.into()),
        None => directories::ProjectDirs::from("", "", "holoscope")
            .map(|dirs| dirs.data_local_dir().join("history.jsonl")),
    }
}

fn info() -> KernelInfo {
    let version = crate::toolchain::rustc_version()
        .and_then(|v| v.split(' ').nth(1).map(str::to_owned))
        .unwrap_or_default();
    KernelInfo {
        implementation: "holoscope".to_owned(),
        implementation_version: env!("CARGO_PKG_VERSION").to_owned(),
        banner: format!(
            "Holoscope {}: Rust {version} with the library loaded (use holoscope::prelude::*;)",
            env!("CARGO_PKG_VERSION")
        ),
        language_info: LanguageInfo::rust(&version),
        help_links: vec![HelpLink {
            text: "The Rust standard library".to_owned(),
            url: "https://doc.rust-lang.org/std/".to_owned(),
        }],
    }
}
