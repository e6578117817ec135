//! Runs the assertions of one exercise and counts its failures.

use super::result::{ExerciseResult, ExerciseState};
use std::any::Any;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, Once, PoisonError};

/// The hint is shown from this many failures in a row on.
const HINT_FROM: usize = 2;

/// How often each exercise of this session has failed since it last passed.
static FAILURES: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

/// What the assertions of an exercise may return: nothing, or a `Result` whose error is the student's.
pub trait CheckOutcome {
    /// `None` on success; otherwise the message for the student.
    fn complaint(self) -> Option<String>;
}

impl CheckOutcome for () {
    fn complaint(self) -> Option<String> {
        None
    }
}

impl<E: Display> CheckOutcome for Result<(), E> {
    fn complaint(self) -> Option<String> {
        self.err()
            .map(|error| format!("Your code returned an error: {error}"))
    }
}

/// Checks an exercise of a lesson: runs `test`, and shows whether it passed.
///
/// `test` asserts what the student's code must do; the student reads the message of the assertion that fails, so it
/// should name the value that was found and a likely reason. From the second failure in a row on, `hint` is shown
/// below the message. A `todo!()` in the student's code counts as not started. The cell itself never fails: the rest
/// of a lesson can be read and run, and `holoscope grade` reads the results.
///
/// ```
/// use holoscope::lesson::{ExerciseState, check};
/// fn mean(values: &[f64]) -> f64 {
///     values.iter().sum::<f64>() // forgets to divide
/// }
/// let result = check("1.1 The mean", "How many values are there?", || {
///     let found = mean(&[1.0, 3.0]);
///     assert!(found == 2.0, "the mean of 1 and 3 is 2; yours is {found}: is it the sum?");
/// });
/// assert_eq!(result.state, ExerciseState::Failed);
/// assert_eq!(result.message, "the mean of 1 and 3 is 2; yours is 4: is it the sum?");
/// ```
#[must_use = "the result is shown when it is the cell's last expression, without a semicolon"]
pub fn check<R: CheckOutcome>(
    exercise: &str,
    hint: &str,
    test: impl FnOnce() -> R,
) -> ExerciseResult {
    let complaint = match without_panic_reports(test) {
        Ok(outcome) => outcome.complaint(),
        Err(payload) => Some(message_of(payload)),
    };
    let state = match &complaint {
        None => ExerciseState::Passed,
        Some(message) if is_todo(message) => ExerciseState::NotStarted,
        Some(_) => ExerciseState::Failed,
    };
    let failures = count(exercise, state);
    let shows_hint = state == ExerciseState::Failed && failures >= HINT_FROM && !hint.is_empty();
    ExerciseResult {
        exercise: exercise.to_owned(),
        state,
        message: match state {
            ExerciseState::Failed => complaint.unwrap_or_default(),
            ExerciseState::Passed | ExerciseState::NotStarted => String::new(),
        },
        hint: shows_hint.then(|| hint.to_owned()),
        failures,
    }
}

/// Whether the message is that of `todo!()` or `unimplemented!()`.
fn is_todo(message: &str) -> bool {
    message.starts_with("not yet implemented") || message.starts_with("not implemented")
}

fn count(exercise: &str, state: ExerciseState) -> usize {
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    let of_exercise = failures
        .get_or_insert_with(HashMap::new)
        .entry(exercise.to_owned())
        .or_default();
    match state {
        ExerciseState::Passed => *of_exercise = 0,
        ExerciseState::Failed => *of_exercise += 1,
        ExerciseState::NotStarted => {}
    }
    *of_exercise
}

/// The message of a panic.
fn message_of(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<String>() {
        Ok(text) => return *text,
        Err(other) => other,
    };
    match payload.downcast::<&'static str>() {
        Ok(text) => (*text).to_owned(),
        // Not a panic of the student's code: an interrupted cell unwinds like this.
        Err(other) => resume_unwind(other),
    }
}

thread_local! {
    /// Whether a panic on this thread is the result of a check.
    static CHECKING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `test` and catches its panic, which is not reported anywhere else.
fn without_panic_reports<R>(test: impl FnOnce() -> R) -> std::thread::Result<R> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CHECKING.get() {
                others(info);
            }
        }));
    });
    let outer = CHECKING.replace(true);
    let done = catch_unwind(AssertUnwindSafe(test));
    CHECKING.set(outer);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(exercise: &str, test: impl FnOnce()) -> ExerciseResult {
        check(exercise, "a hint", test)
    }

    #[test]
    fn the_hint_comes_with_the_second_failure_and_a_pass_starts_anew() {
        let fail = || panic!("found {}", 3);
        let first = of("hint", fail);
        assert_eq!(
            (first.message.as_str(), &first.hint, first.failures),
            ("found 3", &None, 1)
        );
        let second = of("hint", fail);
        assert_eq!(
            (second.hint.as_deref(), second.failures),
            (Some("a hint"), 2)
        );
        let passed = of("hint", || {});
        assert_eq!((passed.state, passed.failures), (ExerciseState::Passed, 0));
        assert_eq!(of("hint", fail).hint, None);
    }

    #[test]
    fn an_exercise_that_is_not_started_is_no_failure() {
        for _ in 0..3 {
            let open = of("open", || todo!("write it"));
            assert_eq!((open.state, open.failures), (ExerciseState::NotStarted, 0));
            assert_eq!((open.message.as_str(), &open.hint), ("", &None));
        }
    }

    #[test]
    fn exercises_are_counted_apart() {
        let _ = of("apart a", || panic!("no"));
        assert_eq!(of("apart b", || panic!("no")).failures, 1);
    }

    #[test]
    fn an_error_is_a_failure_and_says_whose_it_is() {
        let result = check("error", "", || Err::<(), _>("no such token"));
        assert_eq!(result.state, ExerciseState::Failed);
        assert_eq!(result.message, "Your code returned an error: no such token");
        assert_eq!(check("error", "", || Ok::<(), String>(())).failures, 0);
    }

    #[test]
    fn what_is_no_panic_of_the_students_goes_on() {
        struct Interrupted;
        let unwound = catch_unwind(|| of("interrupted", || resume_unwind(Box::new(Interrupted))));
        assert!(unwound.unwrap_err().is::<Interrupted>());
        assert!(!CHECKING.get());
    }
}
