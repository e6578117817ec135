//! A default display for values without their own.

use std::io::Write;

/// Shows a value by its `Debug` form where it has no `evcxr_display` of its own.
///
/// The kernel calls that method on a cell's last expression; an inherent method takes precedence
/// over a trait's.
///
/// Only with the feature `kernel`: rustc suggests a trait that could provide the method, at a line
/// of the user's code, and stock evcxr then reports the missing method as the user's mistake.
pub trait DebugDisplay {
    /// Prints the value as one of evcxr's content blocks.
    fn evcxr_display(&self);
}

impl<T: std::fmt::Debug + ?Sized> DebugDisplay for T {
    fn evcxr_display(&self) {
        show_debug(&self);
    }
}

/// Not generic, so that a cell does not compile it again, which takes half of rustc's time for a
/// small cell.
#[inline(never)]
fn show_debug(value: &dyn std::fmt::Debug) {
    // A content line equal to the end mark would end the block.
    let text = format!("{value:?}").replace("EVCXR_END_CONTENT", "EVCXR\u{200b}_END_CONTENT");
    let mut out = std::io::stdout().lock();
    // Ignored: stdout may be closed.
    let _ = write!(
        out,
        "EVCXR_BEGIN_CONTENT text/plain\n{text}\nEVCXR_END_CONTENT\n"
    )
    .and_then(|()| out.flush());
}
