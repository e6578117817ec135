//! In which field two configurations of an autoencoder differ.

use super::SaeConfig;

impl SaeConfig {
    /// The first field, of those that `counts` says yes to, in which `other` differs, with both values.
    pub(crate) fn first_difference(
        &self,
        other: &Self,
        counts: impl Fn(&str) -> bool,
    ) -> Option<(&'static str, String, String)> {
        let pairs = self.named_values().into_iter().zip(other.named_values());
        let mut pairs = pairs.filter(|((name, _), _)| counts(name));
        let ((name, old), (_, new)) = pairs.find(|((_, old), (_, new))| old != new)?;
        Some((name, old, new))
    }

    fn named_values(&self) -> Vec<(&'static str, String)> {
        // Taken apart, so that a new field cannot be forgotten here.
        let Self {
            hook_name,
            d_in,
            d_sae,
            architecture,
            constraint,
            aux_coeff,
            sparsity_warmup_steps,
            steps,
            batch_size,
            lr,
            warmup_steps,
            decay_frac,
            beta1,
            beta2,
            normalize_activations,
            skip_bos,
            init_active,
            buffer_tokens,
            resample_every,
            dead_steps,
            resample_until_frac,
            log_every,
            score_every,
            checkpoint_every,
            run_dir,
            seed,
        } = self;
        vec![
            ("hook_name", hook_name.clone()),
            ("d_in", d_in.to_string()),
            ("d_sae", d_sae.to_string()),
            ("architecture", format!("{architecture:?}")),
            ("constraint", format!("{constraint:?}")),
            ("aux_coeff", aux_coeff.to_string()),
            ("sparsity_warmup_steps", sparsity_warmup_steps.to_string()),
            ("steps", steps.to_string()),
            ("batch_size", batch_size.to_string()),
            ("lr", lr.to_string()),
            ("warmup_steps", warmup_steps.to_string()),
            ("decay_frac", decay_frac.to_string()),
            ("beta1", beta1.to_string()),
            ("beta2", beta2.to_string()),
            ("normalize_activations", normalize_activations.to_string()),
            ("skip_bos", skip_bos.to_string()),
            ("init_active", init_active.to_string()),
            ("buffer_tokens", buffer_tokens.to_string()),
            ("resample_every", resample_every.to_string()),
            ("dead_steps", dead_steps.to_string()),
            ("resample_until_frac", resample_until_frac.to_string()),
            ("log_every", log_every.to_string()),
            ("score_every", score_every.to_string()),
            ("checkpoint_every", checkpoint_every.to_string()),
            ("run_dir", format!("{run_dir:?}")),
            ("seed", seed.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Architecture;

    #[test]
    fn the_first_difference_among_those_that_count_is_named() {
        let old = SaeConfig::default();
        assert_eq!(old.first_difference(&old, |_| true), None);
        let new = SaeConfig {
            architecture: Architecture::TopK { k: 3 },
            steps: 9,
            ..SaeConfig::default()
        };
        let steps = Some(("steps", "1000".to_owned(), "9".to_owned()));
        assert_eq!(old.first_difference(&new, |f| f != "architecture"), steps);
        let (field, was, is) = old.first_difference(&new, |_| true).unwrap();
        assert_eq!((field, is.as_str()), ("architecture", "TopK { k: 3 }"));
        assert!(was.contains("l1_coeff: 1.5"), "{was}");
    }
}
