//! A form for values that have none of their own.

use std::io::Write;

/// Shows a value by its `Debug` form where it has no `evcxr_display` of its own.
///
/// The kernel calls that method on a cell's last expression; an inherent method goes before a
/// trait's.
///
/// Only with the feature `kernel`: a trait that could offer the method makes rustc suggest it, at
/// a line of the user's, and stock evcxr then takes the missing method for the user's mistake.
pub trait DebugDisplay {
    /// Prints the value as one of evcxr's content blocks.
    fn evcxr_display(&self);
}

impl<T: std::fmt::Debug + ?Sized> DebugDisplay for T {
    fn evcxr_display(&self) {
        show_debug(&self);
    }
}

/// Depends on no type, so that a cell does not compile it again: half of the time of rustc
/// for a small cell.
#[inline(never)]
fn show_debug(value: &dyn std::fmt::Debug) {
    // A content line that reads like the end mark would end the block.
    let text = format!("{value:?}").replace("EVCXR_END_CONTENT", "EVCXR\u{200b}_END_CONTENT");
    let mut out = std::io::stdout().lock();
    // A closed stdout is the reader's business.
    let _ = write!(
        out,
        "EVCXR_BEGIN_CONTENT text/plain\n{text}\nEVCXR_END_CONTENT\n"
    )
    .and_then(|()| out.flush());
}
