//! Training of the temporal autoencoder: on whole sequences, with gradients by hand and Adam.
//! `loss = mean_t |x - x_hat|^2` of the whole reconstruction, sparse by the `k` largest novel codes ("Priors in Time",
//! arXiv:2511.01836). SAELens cannot train it; first values are drawn as SAELens draws them.

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
