//! Converts the events of a running cell to notebook outputs.

use crate::notebook::OutputEvent;
use crate::report::progress;
use crate::run::output::event::Event;

/// The notebook output of an event, if any; a progress bar leaves its last line.
pub fn recorded(event: Event, execution_count: u64) -> Option<OutputEvent> {
    Some(match event {
        Event::Stream { name, text } => OutputEvent::Stream { name, text },
        Event::Display {
            data,
            metadata,
            display_id,
        } => OutputEvent::Display {
            data,
            metadata,
            display_id,
        },
        Event::UpdateDisplay {
            data,
            metadata,
            display_id,
        } => OutputEvent::UpdateDisplay {
            data,
            metadata,
            display_id,
        },
        Event::ClearOutput { wait } => OutputEvent::ClearOutput { wait },
        Event::ExecuteResult { data, metadata } => OutputEvent::ExecuteResult {
            execution_count,
            data,
            metadata,
            display_id: None,
        },
        Event::Error {
            ename,
            evalue,
            traceback,
        } => OutputEvent::Error {
            ename,
            evalue,
            traceback,
        },
        Event::Data { .. } | Event::Comm(_) => return None,
        Event::Progress(progress) => {
            if !progress.finished {
                return None;
            }
            OutputEvent::Display {
                data: progress::render(&progress),
                metadata: serde_json::Map::new(),
                display_id: None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::output::event::Progress;

    #[test]
    fn only_the_last_state_of_a_progress_bar_is_kept() {
        let tick = |finished: bool| {
            Event::Progress(Progress {
                finished,
                ..Progress::default()
            })
        };
        assert_eq!(recorded(tick(false), 1), None);
        assert!(matches!(
            recorded(tick(true), 1),
            Some(OutputEvent::Display { .. })
        ));
    }
}
