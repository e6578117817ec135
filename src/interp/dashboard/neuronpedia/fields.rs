//! The fields of Neuronpedia's feature and of its activations.
//! Source: the `Neuron` and `Activation` tables of Neuronpedia, as sae_dashboard 0.8 exports them
//! (`neuronpedia_export.py`) and Neuronpedia's API returns them.

use crate::known_fields::{KnownFields, Only, Plain};

pub(super) const FEATURE: KnownFields = KnownFields {
    format: "Neuronpedia feature",
    applied: &[
        "activations",
        "correlated_features_indices",
        "correlated_features_l1",
        "correlated_features_pearson",
        "correlated_neurons_indices",
        "correlated_neurons_l1",
        "correlated_neurons_pearson",
        "explanations",
        "frac_nonzero",
        "freq_hist_data_bar_heights",
        "freq_hist_data_bar_values",
        "hookName",
        "index",
        "layer",
        "logits_hist_data_bar_heights",
        "logits_hist_data_bar_values",
        "maxActApprox",
        "modelId",
        "neg_str",
        "neg_values",
        "neuron_alignment_indices",
        "neuron_alignment_l1",
        "neuron_alignment_values",
        "pos_str",
        "pos_values",
        "topkCosSimIndices",
        "topkCosSimValues",
    ],
    inert: &[
        // Who made it and when, and what others did with it.
        "comments",
        "createdAt",
        "creator",
        "creatorId",
        "lists",
        "model",
        "source",
        "sourceSet",
        "sourceSetName",
        // Its place on a map of all features.
        "umap_cluster",
        "umap_log_feature_sparsity",
        "umap_x",
        "umap_y",
        // For steering: the decoder row, which belongs to the autoencoder.
        "hasVector",
        "vector",
        "vectorDefaultSteerStrength",
        "vectorLabel",
    ],
    only: &[Only::new(
        "decoder_weights_dist",
        &[Plain::Null, Plain::Empty],
        "shares of the decoder row by attention head",
    )],
};

pub(super) const ACTIVATION: KnownFields = KnownFields {
    format: "Neuronpedia activation",
    applied: &[
        "binContains",
        "binMax",
        "binMin",
        "maxValueTokenIndex",
        "qualifyingTokenIndex",
        "tokens",
        "values",
    ],
    inert: &[
        // They follow from the values.
        "maxValue",
        "minValue",
        // The feature that it belongs to, again.
        "index",
        "layer",
        "modelId",
        // Where it comes from.
        "createdAt",
        "creatorId",
        "dataIndex",
        "dataSource",
        "id",
    ],
    only: &[
        Only::new(
            "dfaMaxValue",
            &[Plain::Null, Plain::NotPositive],
            "direct feature attribution",
        ),
        Only::new(
            "dfaTargetIndex",
            &[Plain::Null],
            "direct feature attribution",
        ),
        Only::new(
            "dfaValues",
            &[Plain::Null, Plain::Empty],
            "direct feature attribution",
        ),
        Only::new(
            "logitContributions",
            &[Plain::Null],
            "contributions to the logits of each example",
        ),
        Only::new(
            "lossValues",
            &[Plain::Null, Plain::Empty],
            "losses of each example",
        ),
        Only::new(
            "zIndices",
            &[Plain::Null, Plain::Empty],
            "sparse values by head",
        ),
        Only::new(
            "zValues",
            &[Plain::Null, Plain::Empty],
            "sparse values by head",
        ),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_one_treatment() {
        FEATURE.assert_disjoint();
        ACTIVATION.assert_disjoint();
    }
}
