//! The fields of SAELens' `cfg.json`, in all of its versions.
//!
//! Up to version 2 it holds the whole configuration of a training run; from 3 on only what inference
//! (in checkpoints, also training) of one autoencoder needs; from 6 on the rest is in `metadata`.

use crate::known_fields::{KnownFields, Only, Plain};

pub(super) const FORMAT: &str = "SAELens configuration";

/// What version 6 has in `metadata` (its `LLM_METADATA_KEYS`), and SAELens moves there when it reads
/// an older configuration. It describes the autoencoder's origin; none of it affects the function,
/// so any value is accepted.
pub(super) const METADATA: [&str; 18] = [
    "context_size",
    "dataset_path",
    "exclude_special_tokens",
    "hf_hook_name",
    "hf_hook_name_out",
    "hook_head_index",
    "hook_head_index_out",
    "hook_name",
    "hook_name_out",
    "model_class_name",
    "model_from_pretrained_kwargs",
    "model_name",
    "neuronpedia_id",
    "prepend_bos",
    "sae_lens_training_version",
    "sae_lens_version",
    "seqpos_slice",
    "training_architecture",
];

pub(super) const FIELDS: KnownFields = KnownFields {
    format: FORMAT,
    applied: &[
        // Of matching pursuit and the temporal autoencoder.
        "residual_threshold",
        "max_iterations",
        "stop_on_duplicate_support",
        "n_heads",
        "n_attn_layers",
        "bottleneck_factor",
        "sae_diff_type",
        "kval_topk",
        "tied_weights",
        "activation_normalization_factor",
        "activation_fn",
        "activation_fn_kwargs",
        "activation_fn_str",
        "apply_b_dec_to_input",
        "architecture",
        "d_in",
        "d_sae",
        "dtype",
        "expansion_factor",
        "finetuning_scaling_factor",
        "uses_scaling_factor",
        "hook_name",
        "hook_point",
        "k",
        "metadata",
        "normalize_activations",
        "rescale_acts_by_decoder_norm",
        "reshape_activations",
        "sae_lens_version",
    ],
    inert: &[
        // Origin: the model, the place in it, the texts.
        "context_size",
        "dataset_path",
        "dataset_trust_remote_code",
        "disable_concat_sequences",
        "exclude_special_tokens",
        "hf_hook_name",
        "hf_hook_name_out",
        "hook_eval",
        "hook_head_index",
        "hook_head_index_out",
        "hook_layer",
        "hook_name_out",
        "hook_point_eval",
        "hook_point_head_index",
        "hook_point_layer",
        "is_dataset_tokenized",
        "model_class_name",
        "model_from_pretrained_kwargs",
        "model_kwargs",
        "model_name",
        "neuronpedia_id",
        "prepend_bos",
        "sae_lens_training_version",
        "sequence_separator_token",
        "seqpos_slice",
        "streaming",
        "training_architecture",
        "training_architecture_details",
        "use_chat_formatting",
        // Initial values.
        "b_dec_init_method",
        "decoder_heuristic_init",
        "decoder_heuristic_init_norm",
        "decoder_init_norm",
        "decoder_orthogonal_init",
        "feature_reinit_scale",
        "from_pretrained_path",
        "init_encoder_as_decoder_transpose",
        // The loss, and what happens between steps.
        "adam_beta1",
        "adam_beta2",
        "aux_loss_coefficient",
        "dead_feature_estimation_method",
        "dead_feature_threshold",
        "dead_feature_window",
        "feature_sampling_method",
        "feature_sampling_window",
        "finetuning_method",
        "finetuning_tokens",
        "jumprelu_bandwidth",
        "jumprelu_init_threshold",
        "jumprelu_sparsity_loss_mode",
        "jumprelu_ste_to_input",
        "jumprelu_tanh_scale",
        "l0_coefficient",
        "l0_warm_up_steps",
        "l1_coefficient",
        "l1_warm_up_steps",
        "lp_norm",
        "lr",
        "lr_decay_steps",
        "lr_end",
        "lr_scheduler_name",
        "lr_warm_up_steps",
        "mse_loss_normalization",
        "n_restart_cycles",
        "noise_scale",
        "normalize_sae_decoder",
        "pre_act_loss_coefficient",
        "resample_batches",
        "scale_sparsity_penalty_by_decoder_norm",
        "target_l0",
        "total_training_tokens",
        "train_batch_size",
        "train_batch_size_tokens",
        "training_tokens",
        "use_ghost_grads",
        // The source of activations, and the precision and means of computing them.
        "act_store_device",
        "activations_mixing_fraction",
        "autocast",
        "autocast_lm",
        "cached_activations_path",
        "compile_llm",
        "compile_sae",
        "device",
        "llm_compilation_mode",
        "llm_device",
        "n_batches_for_norm_estimate",
        "n_batches_in_buffer",
        "new_cached_activations_path",
        "prefetch_llm_batches",
        "sae_compilation_mode",
        "seed",
        "store_batch_size",
        "store_batch_size_prompts",
        "tokens_per_buffer",
        "use_cached_activations",
        "use_sparse_activations",
        // Logs and checkpoints.
        "checkpoint_path",
        "eval_batch_size_prompts",
        "eval_every_n_wandb_logs",
        "log_activations_store_to_wandb",
        "log_optimizer_state_to_wandb",
        "log_to_wandb",
        "log_weights_to_wandb",
        "logger",
        "n_checkpoints",
        "n_eval_batches",
        "n_eval_seqs",
        "output_path",
        "resume",
        "resume_from_checkpoint",
        "run_name",
        "save_final_checkpoint",
        "verbose",
        "wandb_entity",
        "wandb_id",
        "wandb_log_frequency",
        "wandb_project",
    ],
    only: &[Only::new("d_out", &[Plain::Null], "a transcoder")],
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of SAELens' own classes, version by version; for each only the new ones.
    const OF_SAELENS: [(&str, &str); 9] = [
        (
            "1.8.0, LanguageModelSAERunnerConfig",
            "model_name model_class_name hook_point hook_point_eval hook_point_layer \
             hook_point_head_index dataset_path streaming is_dataset_tokenized context_size \
             use_cached_activations cached_activations_path d_in d_sae b_dec_init_method \
             expansion_factor activation_fn normalize_sae_decoder noise_scale from_pretrained_path \
             apply_b_dec_to_input decoder_orthogonal_init decoder_heuristic_init \
             init_encoder_as_decoder_transpose n_batches_in_buffer training_tokens finetuning_tokens \
             store_batch_size train_batch_size normalize_activations device seed dtype prepend_bos \
             autocast compile_llm llm_compilation_mode compile_sae sae_compilation_mode adam_beta1 \
             adam_beta2 mse_loss_normalization l1_coefficient lp_norm \
             scale_sparsity_penalty_by_decoder_norm l1_warm_up_steps lr lr_scheduler_name \
             lr_warm_up_steps lr_end lr_decay_steps n_restart_cycles finetuning_method use_ghost_grads \
             feature_sampling_window dead_feature_window dead_feature_threshold n_eval_batches \
             n_eval_seqs log_to_wandb log_activations_store_to_wandb log_optimizer_state_to_wandb \
             wandb_project wandb_id run_name wandb_entity wandb_log_frequency eval_every_n_wandb_logs \
             resume n_checkpoints checkpoint_path verbose model_kwargs model_from_pretrained_kwargs \
             sae_lens_version sae_lens_training_version tokens_per_buffer",
        ),
        (
            "2.1.3, LanguageModelSAERunnerConfig",
            "store_batch_size_prompts train_batch_size_tokens eval_batch_size_prompts",
        ),
        (
            "3.23.4, LanguageModelSAERunnerConfig and (Training)SAEConfig",
            "hook_name hook_eval hook_layer hook_head_index dataset_trust_remote_code architecture \
             activation_fn_kwargs activation_fn_str act_store_device autocast_lm \
             finetuning_scaling_factor uses_scaling_factor neuronpedia_id",
        ),
        (
            "5.11.0, LanguageModelSAERunnerConfig and (Training)SAEConfig",
            "decoder_heuristic_init_norm seqpos_slice jumprelu_init_threshold jumprelu_bandwidth \
             exclude_special_tokens",
        ),
        (
            "6.54.12, configurations of the standard and the topk autoencoder",
            "reshape_activations metadata k rescale_acts_by_decoder_norm decoder_init_norm \
             use_sparse_activations aux_loss_coefficient",
        ),
        (
            "6.54.12, configuration of the jumprelu autoencoder",
            "jumprelu_init_threshold jumprelu_bandwidth jumprelu_sparsity_loss_mode l0_coefficient \
             l0_warm_up_steps pre_act_loss_coefficient jumprelu_tanh_scale jumprelu_ste_to_input \
             target_l0",
        ),
        (
            "6.54.0, configurations of the matching_pursuit and the temporal autoencoder",
            "residual_threshold max_iterations stop_on_duplicate_support n_heads n_attn_layers \
             bottleneck_factor sae_diff_type kval_topk tied_weights activation_normalization_factor",
        ),
        (
            "6.54.12, LLM_METADATA_KEYS",
            "hook_name_out hook_head_index_out hf_hook_name hf_hook_name_out",
        ),
        (
            "releases before 1.0, gpt2-small-res-jb",
            "total_training_tokens feature_sampling_method resample_batches feature_reinit_scale \
             dead_feature_estimation_method",
        ),
    ];

    #[test]
    fn every_field_of_saelens_is_in_exactly_one_list() {
        FIELDS.assert_disjoint();
        let all = FIELDS.all();
        for (version, fields) in OF_SAELENS {
            for field in fields.split_whitespace() {
                assert!(all.contains(&field), "{version}: {field}");
            }
        }
        for field in METADATA {
            assert!(all.contains(&field), "{field}");
        }
    }
}
