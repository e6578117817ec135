//! What readers call the metrics, with units: labels of axes. Definitions are in `metrics.rs`.

/// A metric's name for a reader, with its unit; an unknown one as it is.
///
/// ```
/// use holoscope::interp::metric_label;
/// assert_eq!(metric_label("l0"), "L0 (active features per token)");
/// ```
pub fn metric_label(metric: &str) -> String {
    let label = match metric {
        "l0" => "L0 (active features per token)",
        "l1" => "L1 (summed activations per token)",
        "explained_variance" => "Explained variance (share)",
        "saebench_explained_variance" => "Explained variance as SAEBench has it (share)",
        "fvu" => "Unexplained variance (share)",
        "mse" => "Squared error (per token, summed over dimensions)",
        "saebench_mse" => "Squared error as SAEBench has it",
        "cossim" => "Cosine of activation and reconstruction",
        "l2_ratio" => "Norm of the reconstruction (share of the activation's)",
        "relative_reconstruction_bias" => "Relative reconstruction bias (ratio, below 1: shrinks)",
        "ce_loss" => "Cross-entropy of the model (nats per token)",
        "ce_loss_with_sae" => "Cross-entropy with reconstructions (nats per token)",
        "kl_with_sae" => "KL divergence with reconstructions (nats per token)",
        "freq_over_1_percent" => "Features active on over 1 % of the tokens (share)",
        "freq_over_10_percent" => "Features active on over 10 % of the tokens (share)",
        "dead_share" => "Dead features (share)",
        "mean_max_decoder_cosine" => "Largest cosine with another decoder direction (mean)",
        "mean_max_encoder_cosine" => "Largest cosine with another encoder direction (mean)",
        other => return of_ablation(other).unwrap_or_else(|| other.to_owned()),
    };
    label.to_owned()
}

/// The label of a metric that names an ablation.
fn of_ablation(metric: &str) -> Option<String> {
    let (quantity, rest) = match metric.split_once('_')? {
        ("ce", rest) => ("Cross-entropy", rest),
        ("kl", rest) => ("KL divergence", rest),
        _ => return None,
    };
    let rest = rest.strip_prefix("loss_").unwrap_or(rest);
    if let Some(ablation) = rest.strip_prefix("recovered_") {
        return Some(format!(
            "{quantity} recovered against {ablation} ablation (share)"
        ));
    }
    let ablation = rest.strip_prefix("with_")?.strip_suffix("_ablation")?;
    Some(format!(
        "{quantity} with {ablation} ablation (nats per token)"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::metrics::METRICS;
    use super::*;

    #[test]
    fn every_metric_has_a_name_for_readers() {
        let mut labels: Vec<String> = METRICS.iter().map(|metric| metric_label(metric)).collect();
        assert!(
            labels.iter().all(|label| !label.contains('_')),
            "{labels:?}"
        );
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), METRICS.len(), "two metrics share a label");
        assert_eq!(
            metric_label("ce_recovered_mean"),
            "Cross-entropy recovered against mean ablation (share)"
        );
        assert_eq!(
            metric_label("kl_with_resample_ablation"),
            "KL divergence with resample ablation (nats per token)"
        );
        assert_eq!(metric_label("unknown_metric"), "unknown_metric");
    }
}
