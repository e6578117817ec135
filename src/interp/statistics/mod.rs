//! Statistics of samples and of counts that the analyses rest on: one mode or two, and how well a
//! yes/no property goes with another. Each file names its source.

mod bimodality;
mod contingency;
mod dip;

pub use bimodality::{Bimodality, NormalComponent, bimodality};
pub use contingency::Contingency;
pub use dip::{dip, dip_p_value};
