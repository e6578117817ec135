//! Progress of long work: the reporter in a notebook, its live chart, interrupts, silence.

pub(super) mod interrupts;
#[cfg(feature = "notebook")]
pub(super) mod live_chart;
pub(super) mod quietly;
#[cfg(feature = "notebook")]
pub(super) mod reporter;
