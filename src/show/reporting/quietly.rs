//! Running work without progress lines: for many short runs in one cell.

use std::cell::Cell;

thread_local! {
    /// How many calls of [`quietly`] this thread is in.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Does some work without showing its progress. What the work itself shows or prints is shown, and interrupts
/// are handled as usual.
///
/// It silences the reporters that functions of the library begin on the calling thread; a reporter passed to a
/// `.._with` form is not silenced.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn many(model: Transformer, data: Dataset) -> Result<()> {
/// for seed in 0..3 {
///     let cfg = SaeConfig { seed, ..Default::default() };
///     let (_, history) = quietly(|| train_sae(&model, &data, &cfg))?;
///     println!("{}", history.summary());
/// }
/// # Ok(())
/// # }
/// ```
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let _quiet = Quiet::begin();
    work()
}

/// Whether this thread is in a call of [`quietly`].
pub(in crate::show) fn is_quiet() -> bool {
    DEPTH.get() > 0
}

/// A guard that exists during the work, so that a panic also ends it.
struct Quiet(());

impl Quiet {
    fn begin() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self(())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_ends_with_the_work_and_with_a_panic() {
        assert!(!is_quiet());
        let inner = quietly(|| {
            assert!(quietly(is_quiet));
            is_quiet()
        });
        assert!(inner && !is_quiet());
        let ended = std::panic::catch_unwind(|| quietly(|| panic!("on purpose")));
        assert!(ended.is_err() && !is_quiet());
        let elsewhere = quietly(|| std::thread::spawn(is_quiet).join());
        assert!(!elsewhere.unwrap(), "another thread is not silenced");
    }
}
