//! What the residual stream says about the logits: after each block (the logit lens), and by what each
//! part of the model has added to it (direct logit attribution).
//! Source: nostalgebraist 2020; Elhage et al. 2021; TransformerLens.

mod lens_tokens;
mod logit_attribution;
mod logit_attribution_view;
mod logit_lens;
mod logit_lens_view;

pub use lens_tokens::LensTokens;
pub use logit_attribution::{
    LogitAttribution, LogitComponent, LogitContribution, direct_logit_attribution,
};
pub use logit_lens::{LensPrediction, LogitLens, logit_lens};
