//! The autoencoders, for inference: one file per variant.
//!
//! `z = (x - b_dec) W_enc + b_enc` are pre-activations, `x_hat = acts W_dec + b_dec` reconstructions, both of one token;
//! losses are means over tokens; `|.|` is the Euclidean norm, `theta` a threshold, `H` the step function.
//!
//! | Architecture | Activation | Loss beside `mean_t` of `l2 = \|x_hat - x\|^2` | Learnt beside weights and biases | Dead features | Settings | Paper |
//! |---|---|---|---|---|---|---|
//! | standard | `relu(z)` | `l1_coeff \|acts\|_1` | - | resampled | `l1_coeff` | Bricken et al. 2023 |
//! | TopK | the `k` largest of `relu(z)` | none | - | resampled, and AuxK where `aux_coeff > 0` | `k`, `aux_coeff` | Gao et al. 2024, arXiv:2406.04093 |
//! | AbsTopK | `z` at the `k` largest of `\|z\|`, signed | none | - | as TopK | `k`, `aux_coeff` | arXiv:2510.00404 |
//! | BatchTopK | the `k n` largest of `relu(z)` of a batch of n; afterwards what is above one `theta` | none | `theta`, a running mean of the batches' least | as TopK | `k`, `aux_coeff` | Bussmann et al. 2024, arXiv:2412.06410 |
//! | Matryoshka BatchTopK | as BatchTopK | `l2` of the dictionaries of the first `widths` features | as BatchTopK | as TopK | `k`, `widths`, `aux_coeff` | Bussmann et al. 2025, arXiv:2503.17547 |
//! | gated | `H(pi) relu(exp(r_mag) (z - b_enc) + b_mag)`, `pi = z` with bias `b_gate` | `l1_coeff \|relu(pi)\|_1` and the `l2` of `relu(pi)` through the frozen decoder | `r_mag`, `b_mag` | resampled | `l1_coeff` | Rajamanoharan et al. 2024, arXiv:2404.16014 |
//! | JumpReLU | `z H(z - theta)` | `l0_coeff sum_j H(z_j - theta_j)`, or a tanh of the activations | a `theta` a feature, straight through a rectangle | resampled | `l0_coeff`, `bandwidth`, `init_threshold`, `l0_loss` | Rajamanoharan et al. 2024, arXiv:2407.14435 |
//! | matching pursuit | step by step: the feature that fits best what is left over, as strongly as it does; `W_enc = W_dec^T` | none | no encoder | resampled | `residual_threshold`, `max_iterations`, `stop_on_duplicate_support` | Costa et al. 2025, arXiv:2506.03093 |
//! | temporal | novel codes: the `k` largest of `relu(lam r W_enc)` of `r`, what attention over the past does not predict; `x_hat` of novel and predicted codes | none | attention layers | left alone | `k`, `n_heads`, `n_attn_layers`, `bottleneck_factor` | "Priors in Time", arXiv:2511.01836 |
//! | transcoder | `relu(x W_enc + b_enc)` of an MLP's input (or JumpReLU) | `l2` of the MLP's output, and sparsity | (`theta`) | as its activation's | as its activation's | Dunefsky et al. 2024, arXiv:2406.11944 |
//! | skip transcoder | as transcoder; `y_hat = acts W_dec + b_dec + W_skip x` | as transcoder | `W_skip` | as transcoder | as transcoder | Paulo et al. 2025, arXiv:2501.18823 |
//! | crosscoder | `relu(sum_s x_s W_enc_s + b_enc)` over sites s | `sum_s l2_s`, and `l1_coeff sum_j acts_j sum_s \|W_dec_sj\|` | an encoder and a decoder a site | as its activation's | `l1_coeff`, sites | Lindsey et al. 2024, "Sparse Crosscoders" |
//! | cross-layer transcoder | `acts^l` of layer l's MLP input; `y_hat^m = sum_(l <= m) acts^l W_dec^(l,m) + b_dec^m` | `sum_m l2_m`, and sparsity | a decoder from each layer to each later one | as its activation's | as its activation's | Ameisen et al. 2025, "Circuit Tracing" |
//!
//! Training keeps decoder rows of autoencoders at unit length, except for the temporal one's. All activations are at
//! least 0, except for AbsTopK's; a feature is active where its activation is not 0. The file of each variant has its
//! equations, [`Architecture`](crate::config::Architecture) its settings.

mod abs_top_k;
mod any;
mod gated;
mod jump_relu;
mod matching_pursuit;
mod of_dictionary;
mod standard;
mod temporal;
mod top_k;
mod transcoders;

pub use abs_top_k::AbsTopKSae;
pub use any::Sae;
pub use gated::GatedSae;
pub use jump_relu::JumpReLUSae;
pub use matching_pursuit::MatchingPursuitSae;
pub use standard::StandardSae;
pub(in crate::sae) use temporal::{EPS as TEMPORAL_EPS, TINY as TEMPORAL_TINY};
pub use temporal::{TemporalAttention, TemporalCodes, TemporalSae};
pub use top_k::TopKSae;
pub use transcoders::{CrossLayerTranscoder, Crosscoder, Transcoder, TranscoderActivation};
