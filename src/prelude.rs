//! Everything a notebook needs, by one `use holoscope::prelude::*;`.
pub use crate::config::*;
pub use crate::data::*;
pub use crate::error::{Error, Result};
pub use crate::interp::*;
pub use crate::model::*;
pub use crate::progress::Silent;
pub use crate::rasp::{self, CompileOptions, CompiledProgram};
pub use crate::sae::*;
pub use crate::show::*;
pub use crate::susy::*;
pub use crate::train::*;
pub use candle_core::{D, DType, Device, IndexOp, Tensor};
pub use polars::prelude::{DataFrame, IntoLazy, LazyFrame, Series, SortMultipleOptions, col, lit};
