//! The parameters of a sparse map from one activation to another, in blocks of features, and their gradients.
//! `acts_b = act(x[reads_b] W_enc_b + b_enc_b)`, `y_hat = b_dec + x W_skip + sum_b acts_b W_dec_b` at `writes_b`.
//! One block is a transcoder or a crosscoder; one block per layer is a cross-layer transcoder.

use super::gauge;
use crate::error::{Error, Result};
use std::ops::Range;

/// Features that read the same columns of the input and write the same columns of the output.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureBlock {
    /// Columns of the input that they read.
    pub reads: Range<usize>,
    /// Columns of the output that they write, site by site, the sites adjacent. The lengths
    /// of a feature's decoder row at the sites sum to 1.
    pub writes: Vec<Range<usize>>,
    /// `W_enc` transposed: `[d_sae, columns read]`.
    pub w_enc_t: Vec<f32>,
    /// `[d_sae]`.
    pub b_enc: Vec<f32>,
    /// `[d_sae, columns written]`.
    pub w_dec: Vec<f32>,
}

impl FeatureBlock {
    /// Number of features.
    pub fn d_sae(&self) -> usize {
        self.b_enc.len()
    }

    /// Number of columns that they read.
    pub fn d_in(&self) -> usize {
        self.reads.len()
    }

    /// Number of columns that they write.
    pub fn d_out(&self) -> usize {
        self.columns().len()
    }

    /// All columns that they write.
    pub(in crate::sae::training::transcoders) fn columns(&self) -> Range<usize> {
        match (self.writes.first(), self.writes.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..0,
        }
    }

    /// The sites as ranges of a decoder row.
    pub(in crate::sae::training::transcoders) fn sites(&self) -> Vec<Range<usize>> {
        let from = self.columns().start;
        let within = |site: &Range<usize>| site.start - from..site.end - from;
        self.writes.iter().map(within).collect()
    }

    fn check(&self, d_in: usize, d_out: usize) -> Result<()> {
        let bad = |what: &'static str, columns: String, width: usize| {
            let reason =
                format!("must be columns of a row of {width}, at least one, site right after site");
            Err(Error::argument(what, columns, reason))
        };
        if self.reads.is_empty() || self.reads.end > d_in {
            return bad("reads", format!("{:?}", self.reads), d_in);
        }
        let apart = self.writes.windows(2).any(|w| w[0].end != w[1].start);
        let empty = self.writes.is_empty() || self.writes.iter().any(Range::is_empty);
        if empty || apart || self.columns().end > d_out {
            return bad("writes", format!("{:?}", self.writes), d_out);
        }
        let s = self.d_sae();
        if s == 0 {
            return Err(Error::argument("d_sae", s, "must be at least 1"));
        }
        for (name, vector, shape) in [
            ("w_enc_t", &self.w_enc_t, [s, self.d_in()]),
            ("w_dec", &self.w_dec, [s, self.d_out()]),
        ] {
            if vector.len() != shape[0] * shape[1] {
                return Err(Error::shape(name, shape, [vector.len()]));
            }
        }
        Ok(())
    }
}

/// The parameters of a sparse map.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscoderParams {
    /// Width of the input.
    pub d_in: usize,
    /// Width of the output.
    pub d_out: usize,
    /// Blocks of features.
    pub blocks: Vec<FeatureBlock>,
    /// `[d_out]`. It is not subtracted from the input.
    pub b_dec: Vec<f32>,
    /// `[d_in, d_out]`, an optional linear path around the features.
    pub w_skip: Option<Vec<f32>>,
}

impl TranscoderParams {
    /// Number of features of all blocks.
    pub fn d_sae(&self) -> usize {
        self.blocks.iter().map(FeatureBlock::d_sae).sum()
    }

    /// Checks that all lengths match the widths.
    pub(super) fn check(&self) -> Result<()> {
        let (d_in, d_out) = (self.d_in, self.d_out);
        for (what, n) in [
            ("d_in", d_in),
            ("d_out", d_out),
            ("number of blocks", self.blocks.len()),
        ] {
            if n == 0 {
                return Err(Error::argument(what, n, "must be at least 1"));
            }
        }
        for block in &self.blocks {
            block.check(d_in, d_out)?;
        }
        if self.b_dec.len() != d_out {
            return Err(Error::shape("b_dec", [d_out], [self.b_dec.len()]));
        }
        match &self.w_skip {
            Some(w_skip) if w_skip.len() != d_in * d_out => {
                Err(Error::shape("w_skip", [d_in, d_out], [w_skip.len()]))
            }
            _ => Ok(()),
        }
    }

    /// The same map of unscaled activations, from one of scaled activations: the input was
    /// multiplied by `of_input`, `[d_in]`, the output by `of_output`, `[d_out]`. Feature activations are
    /// unchanged.
    pub(in crate::sae::training::transcoders) fn unscaled(
        mut self,
        of_input: &[f32],
        of_output: &[f32],
    ) -> Self {
        for block in &mut self.blocks {
            let (reads, columns) = (block.reads.clone(), block.columns());
            for row in block.w_enc_t.chunks_exact_mut(reads.len()) {
                (row.iter_mut().zip(&of_input[reads.clone()])).for_each(|(w, s)| *w *= s);
            }
            for row in block.w_dec.chunks_exact_mut(columns.len()) {
                (row.iter_mut().zip(&of_output[columns.clone()])).for_each(|(w, s)| *w /= s);
            }
        }
        (self.b_dec.iter_mut().zip(of_output)).for_each(|(b, s)| *b /= s);
        if let Some(w_skip) = &mut self.w_skip {
            for (row, of_input) in w_skip.chunks_exact_mut(self.d_out).zip(of_input) {
                (row.iter_mut().zip(of_output)).for_each(|(w, s)| *w *= of_input / s);
            }
        }
        self
    }

    /// The same map with feature activations multiplied by `factor`; thresholds must be, too.
    pub(in crate::sae::training::transcoders) fn with_acts_times(mut self, factor: f32) -> Self {
        for block in &mut self.blocks {
            let encoder = block.w_enc_t.iter_mut().chain(&mut block.b_enc);
            encoder.for_each(|w| *w *= factor);
            block.w_dec.iter_mut().for_each(|w| *w /= factor);
        }
        self
    }

    /// Scales every decoder row so that its lengths sum to 1.
    pub(super) fn normalise(&mut self) {
        for block in &mut self.blocks {
            let (sites, d_out) = (block.sites(), block.d_out());
            for row in block.w_dec.chunks_exact_mut(d_out) {
                gauge::normalise(row, &sites);
            }
        }
    }
}

/// Gradients of one block's parameters, in their layout.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureBlockGrads {
    pub w_enc_t: Vec<f32>,
    pub b_enc: Vec<f32>,
    pub w_dec: Vec<f32>,
    /// Straight-through gradients of the thresholds, `[d_sae]`; zeros without thresholds.
    pub threshold: Vec<f32>,
}

/// Gradients of the loss with respect to each parameter, in the parameters' layout.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscoderGrads {
    pub blocks: Vec<FeatureBlockGrads>,
    pub b_dec: Vec<f32>,
    pub w_skip: Option<Vec<f32>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> TranscoderParams {
        let block = FeatureBlock {
            reads: 0..2,
            writes: vec![0..1, 1..3],
            w_enc_t: vec![1.0; 8],
            b_enc: vec![0.0; 4],
            w_dec: vec![1.0; 12],
        };
        TranscoderParams {
            d_in: 2,
            d_out: 3,
            blocks: vec![block],
            b_dec: vec![0.0; 3],
            w_skip: None,
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        params().check().unwrap();
        type Change = fn(&mut TranscoderParams);
        let cases: [(&str, Change); 9] = [
            ("d_in", |p| p.d_in = 0),
            ("blocks", |p| p.blocks.clear()),
            ("reads", |p| p.blocks[0].reads = 1..3),
            ("writes", |p| p.blocks[0].writes = vec![0..1, 2..4]),
            ("writes", |p| p.blocks[0].writes = vec![0..1, 1..1, 1..3]),
            ("d_sae", |p| p.blocks[0].b_enc.clear()),
            ("w_dec", |p| p.blocks[0].w_dec.truncate(11)),
            ("b_dec", |p| p.b_dec.truncate(2)),
            ("w_skip", |p| p.w_skip = Some(vec![0.0; 5])),
        ];
        for (name, change) in cases {
            let mut bad = params();
            change(&mut bad);
            let message = bad.check().unwrap_err().to_string();
            assert!(message.contains(name), "{name}: {message}");
        }
    }
}
