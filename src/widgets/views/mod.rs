//! Views of our own: anywidgets whose models compute with the library.

mod attention;
mod feature_browser;
mod graph;
mod lens;
mod neuroscope;
mod source;
mod training_monitor;

pub use crate::interp::neuroscope::Subject;
pub use attention::{AttentionBrowser, attention_view};
pub use feature_browser::{FeatureBrowser, feature_browser};
pub use graph::{GraphBrowser, attribution_graph_view};
pub use lens::{LogitLensBrowser, logit_lens_view};
pub use neuroscope::{Neuroscope, neuroscope};
pub use training_monitor::TrainingMonitor;

/// What an export reads of a view that stays alive on the page.
const PAGE_MIME: &str = "application/vnd.holoscope.live+json";
