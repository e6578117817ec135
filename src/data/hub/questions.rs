//! Questions to the hub, asked on threads of their own, and why one gets no answer.

use crate::error::{Error, Result};
use crate::progress::{Progress, Reporter};
use hf_hub::api::sync::ApiError;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Longest wait for the answer to a question about a repository or a file.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a wait is left to look for an interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// Why there is nothing.
pub(super) enum Refusal {
    /// There was no answer that counts: the cache may have it.
    Unreachable(String),
    Final(Error),
}

/// Why a question was not answered.
pub(super) enum Trouble {
    Api(Box<ApiError>),
    TimedOut,
    Interrupted,
    /// The thread that asked has died.
    Lost,
}

impl Trouble {
    pub(super) fn refusal(self, url: &str) -> Refusal {
        let last = |reason: String| {
            Refusal::Final(Error::Download {
                url: url.to_owned(),
                reason,
            })
        };
        let error = match self {
            Self::Api(error) => *error,
            Self::TimedOut => {
                return Refusal::Unreachable(format!(
                    "no answer in {} s",
                    ANSWER_TIMEOUT.as_secs()
                ));
            }
            Self::Interrupted => return last("interrupted".to_owned()),
            Self::Lost => return last("the request failed without a reason".to_owned()),
        };
        match &error {
            ApiError::RequestError(request) => match request.as_ref() {
                ureq::Error::StatusCode(401 | 403) => last(
                    "the hub refuses it: it does not exist, or is private or gated; accept its terms on \
                     its page and set HF_TOKEN to a token that may read it"
                        .to_owned(),
                ),
                ureq::Error::StatusCode(404) => last(
                    "the hub has no such repository, revision or file; check the spelling, and set \
                     HF_TOKEN if it is private"
                        .to_owned(),
                ),
                ureq::Error::StatusCode(status) if *status < 500 => {
                    last(format!("the hub answered with status {status}"))
                }
                other => Refusal::Unreachable(other.to_string()),
            },
            other => last(other.to_string()),
        }
    }
}

/// The answer to a question that is asked on a thread of its own, which outlives an interrupt.
pub(super) fn answer<T: Send + 'static>(
    reporter: &mut dyn Reporter,
    label: &str,
    ask: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, Trouble> {
    let waiting = Progress::new(reporter, label, "s", 0);
    let (tell, answer) = sync_channel(1);
    std::thread::spawn(move || {
        // After an interrupt the receiver is gone.
        let _ = tell.send(ask());
    });
    let begun = Instant::now();
    loop {
        if waiting.interrupted() {
            return Err(Trouble::Interrupted);
        }
        match answer.recv_timeout(LOOK) {
            Ok(answer) => return answer.map_err(|error| Trouble::Api(Box::new(error))),
            Err(RecvTimeoutError::Timeout) if begun.elapsed() > ANSWER_TIMEOUT => {
                return Err(Trouble::TimedOut);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Trouble::Lost),
        }
    }
}
