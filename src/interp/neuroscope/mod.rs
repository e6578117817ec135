//! The neuroscope's questions: a text, a direction in the model, and how strongly each token excites it.
//!
//! The widget asks them in a notebook, and an exported page asks them in its reader's browser, of the
//! same functions compiled to WebAssembly.
//! Source: the neuroscope of Neel Nanda.

mod answers;
mod census;
mod directions;
mod page;
mod reading;
mod subject;

pub use answers::{Answer, Asked, NeuroscopeModel};
pub use census::FeatureCensus;
#[cfg(feature = "notebook")]
pub use page::PageModel;
pub use subject::Subject;
