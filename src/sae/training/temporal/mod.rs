//! Training of the temporal autoencoder: on whole sequences, with manual gradients and Adam.
//! `loss = mean_t |x - x_hat|^2` of the whole reconstruction, with the `k` largest novel codes ("Priors in Time",
//! arXiv:2511.01836). SAELens cannot train it; initial values are drawn as in SAELens.

mod attention;
mod layer;
mod learner;
mod parameters;
mod sequences;
mod shape;
mod step;

pub(super) use learner::TemporalLearner;
pub(super) use sequences::Sequences;

#[cfg(test)]
mod tests;
