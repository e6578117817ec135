//! Whether the parts of a [`Config`] fit together.
//!
//! Here and not beside the configurations, because the hook points are the model's.

use super::hooks::HookName;
use crate::config::Config;
use crate::error::{Error, Result};

/// Token ids of GPT-2, which data has that keeps the whole vocabulary.
const GPT2_VOCAB: usize = 50_257;

impl Config {
    /// Checks each part and that the parts fit together: sequences hold a token beside BOS, the
    /// whole vocabulary finds its place in the model, the autoencoder reads a hook point that the
    /// model has, of the width that it has.
    ///
    /// Call it once all is known: `model.d_vocab` of a compact vocabulary comes from the data.
    ///
    /// # Errors
    /// [`Error::Config`] naming the field; [`Error::UnknownHook`] with the nearest names.
    pub fn validate(&self) -> Result<()> {
        self.model.validate()?;
        self.data.validate()?;
        self.training.validate()?;
        self.sae.validate()?;
        let bad = |config, field, value: String, reason: String| {
            Err(Error::Config {
                config,
                field,
                value,
                reason,
            })
        };
        let (model, sae) = (&self.model, &self.sae);
        if model.n_ctx < 2 {
            let reason = "must be at least 2 to train (BOS and one token)".to_owned();
            return bad(
                "TransformerConfig",
                "n_ctx",
                model.n_ctx.to_string(),
                reason,
            );
        }
        if !self.data.compact_vocab && model.d_vocab < GPT2_VOCAB {
            let reason = format!("data without compact_vocab has {GPT2_VOCAB} token ids");
            let value = model.d_vocab.to_string();
            return bad("TransformerConfig", "d_vocab", value, reason);
        }
        match HookName::of_model(&sae.hook_name, model)?.width(model) {
            Some(width) if width == sae.d_in => Ok(()),
            Some(width) => {
                let reason = format!("{} is {width} wide in this model", sae.hook_name);
                bad("SaeConfig", "d_in", sae.d_in.to_string(), reason)
            }
            None => {
                let reason = "has no vector a token to reconstruct".to_owned();
                bad("SaeConfig", "hook_name", sae.hook_name.clone(), reason)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Config);

    fn with(change: impl Fn(&mut Config)) -> Result<()> {
        let mut cfg = Config::default();
        change(&mut cfg);
        cfg.validate()
    }

    #[test]
    fn the_defaults_fit_together_and_so_does_every_point_of_its_width() {
        with(|_| {}).unwrap();
        for (hook, width) in [
            ("blocks.0.hook_resid_pre", 128),
            ("blocks.0.attn.hook_z", 128),
            ("blocks.0.mlp.hook_pre", 512),
        ] {
            with(|c| (c.sae.hook_name, c.sae.d_in) = (hook.to_owned(), width)).unwrap();
        }
        // What a notebook sets once it has read its data.
        with(|c| (c.model.d_vocab, c.model.d_mlp, c.sae.d_in) = (11_707, 256, 256)).unwrap();
    }

    #[test]
    fn a_bad_field_of_any_part_is_named() {
        let cases: [(&str, Change); 4] = [
            ("n_heads", |c| c.model.n_heads = 3),
            ("train_frac", |c| c.data.train_frac = 1.0),
            ("eval_every", |c| c.training.eval_every = 0),
            ("d_sae", |c| c.sae.d_sae = 0),
        ];
        for (field, change) in cases {
            let message = with(change).unwrap_err().to_string();
            assert!(message.contains(&format!("{field} = ")), "{message}");
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_named() {
        let cases: [(&str, Change); 5] = [
            ("n_ctx = 1", |c| c.model.n_ctx = 1),
            ("d_vocab = 11707", |c| {
                (c.model.d_vocab, c.data.compact_vocab) = (11_707, false)
            }),
            ("d_in = 512: blocks.0.mlp.hook_post is 256 wide", |c| {
                c.model.d_mlp = 256
            }),
            ("hook_name = blocks.0.attn.hook_pattern", |c| {
                c.sae.hook_name = "blocks.0.attn.hook_pattern".to_owned()
            }),
            ("did you mean blocks.0.mlp.hook_post", |c| {
                c.sae.hook_name = "blocks.0.mlp.hook_pots".to_owned()
            }),
        ];
        for (part, change) in cases {
            let message = with(change).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        // A point that other models have.
        assert!(with(|c| c.model.attn_only = true).is_err());
        assert!(with(|c| c.model.n_layers = 0).is_err());
    }
}
