//! Every field of TransformerLens is known.

use super::*;

/// The fields of TransformerLens' own classes, version by version; of each the new ones.
const OF_TRANSFORMER_LENS: [(&str, &str); 4] = [
    (
        "1.19.0, HookedTransformerConfig",
        "n_layers d_model n_ctx d_head model_name n_heads d_mlp act_fn d_vocab eps \
         use_attn_result use_attn_scale use_split_qkv_input use_hook_mlp_in use_attn_in \
         use_local_attn original_architecture from_checkpoint checkpoint_index \
         checkpoint_label_type checkpoint_value tokenizer_name window_size attn_types init_mode \
         normalization_type device n_devices attention_dir attn_only seed initializer_range \
         init_weights scale_attn_by_inverse_layer_idx positional_embedding_type final_rms \
         d_vocab_out parallel_attn_mlp rotary_dim n_params use_hook_tokens gated_mlp \
         default_prepend_bos dtype tokenizer_prepends_bos n_key_value_heads post_embedding_ln \
         rotary_base trust_remote_code rotary_adjacent_pairs load_in_4bit num_experts \
         experts_per_token",
    ),
    (
        "2.17.0, HookedTransformerConfig",
        "attn_scale use_qk_norm ungroup_grouped_query_attention rotary_base_local \
         relative_attention_max_distance relative_attention_num_buckets decoder_start_token_id \
         tie_word_embeddings use_normalization_before_and_after attn_scores_soft_cap \
         output_logits_soft_cap use_NTK_by_parts_rope NTK_by_parts_low_freq_factor \
         NTK_by_parts_high_freq_factor NTK_by_parts_factor NTK_original_ctx_len",
    ),
    (
        "3.9.0, HookedTransformerConfig and TransformerLensConfig",
        "clip_qkv use_logn_attn train_seq_length use_dynamic_ntk_rope rotary_scaling_factor \
         quantization_method use_yarn_rope yarn_factor yarn_attention_factor yarn_beta_fast \
         yarn_beta_slow yarn_original_max_position_embeddings yarn_truncate \
         yarn_global_attn_only use_attention_sinks norm_topk_prob uses_rms_norm \
         layer_norm_folding",
    ),
    (
        "4.3.0, TransformerBridgeConfig",
        "architecture tokenizer_appends_eos default_padding_side qk_norm_after_rope \
         rotary_interleaved_cos_sin per_layer_head_dim per_layer_num_key_value_heads \
         scale_embedding rmsnorm_uses_offset attn_implementation is_audio_model \
         is_visual_model is_stateful is_multimodal vision_hidden_size vision_num_layers \
         vision_num_heads mm_tokens_per_image split_attention_weights",
    ),
];

#[test]
fn every_field_of_transformer_lens_is_in_exactly_one_list() {
    FIELDS.assert_disjoint();
    let all = FIELDS.all();
    for (version, fields) in OF_TRANSFORMER_LENS {
        for field in fields.split_whitespace() {
            assert!(all.contains(&field), "{version}: {field}");
        }
    }
}
