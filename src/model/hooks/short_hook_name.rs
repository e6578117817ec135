//! Short names of hook points: `("post", 0)` is `blocks.0.mlp.hook_post`.
//! Source: TransformerLens' `get_act_name`.

use super::hook_name::HookName;
use crate::error::Result;

impl HookName {
    /// The hook point of block `layer` that TransformerLens calls `short`: `"post"`, `"pattern"`, `"q"`,
    /// `"resid_pre"`, `"mlp_out"`, .. (the last word of the name, without `hook_`).
    ///
    /// ```
    /// use holoscope::model::HookName;
    /// let named = |short| HookName::short(short, 2).map(|name| name.to_string());
    /// assert_eq!(named("post")?, "blocks.2.mlp.hook_post");
    /// assert_eq!(named("attn")?, "blocks.2.attn.hook_pattern");
    /// assert!(named("posts").is_err());
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::UnknownHook`] with the nearest names.
    pub fn short(short: &str, layer: usize) -> Result<HookName> {
        // The aliases of TransformerLens.
        let word = match short {
            "attn" => "pattern",
            "attn_logits" => "attn_scores",
            "key" => "k",
            "query" => "q",
            "value" => "v",
            "mlp_pre" => "pre",
            "mlp_mid" => "mid",
            "mlp_post" => "post",
            other => other,
        };
        let in_block = |part: &str| format!("blocks.{layer}.{part}hook_{word}").parse();
        in_block("attn.")
            .or_else(|_| in_block("mlp."))
            .or_else(|_| in_block(""))
    }
}
