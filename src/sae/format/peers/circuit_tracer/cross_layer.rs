//! circuit-tracer's cross-layer transcoders: `config.yaml`, and two files per layer.
//! `W_enc_{i}.safetensors` has `W_enc_{i} [d_transcoder, d_model]`, `b_enc_{i}`, `b_dec_{i}` and, for JumpReLU,
//! `threshold_{i}`; `W_dec_{i}.safetensors` has `W_dec_{i} [d_transcoder, n_layers - i, d_model]`.
//! Or, where `config.yaml` has a list `transcoders`, one file of Gemma Scope 2 per layer.
//! Source: circuit-tracer 0.5.0 (`transcoder/cross_layer_transcoder.py`: `to_safetensors`, `load_clt`,
//! `load_gemma_scope_2_clt`).

use super::super::gemma_scope_2;
use super::super::tensors::Tensors;
use super::set_config::{CONFIG, SetConfig};
use crate::error::{Error, Result};
use crate::file::write_whole;
use crate::sae::variants::{CrossLayerTranscoder, TranscoderActivation};
use candle_core::Tensor;
use std::path::{Path, PathBuf};

const FORMAT: &str = "circuit-tracer cross-layer transcoder";

fn encoder_path(dir: &Path, layer: usize) -> PathBuf {
    dir.join(format!("W_enc_{layer}.safetensors"))
}

fn decoder_path(dir: &Path, layer: usize) -> PathBuf {
    dir.join(format!("W_dec_{layer}.safetensors"))
}

/// The cross-layer transcoder of a folder that has a `config.yaml`.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] for an unsupported configuration or file, a tensor that is missing, unknown or
/// not finite, and a threshold below 0, with which circuit-tracer lets negative activations through.
pub(in crate::sae::format) fn read_cross_layer(dir: &Path) -> Result<CrossLayerTranscoder> {
    let config_path = dir.join(CONFIG);
    let config = SetConfig::read_cross_layer(&config_path)?;
    let bad = |reason: &str| Error::format(&config_path, FORMAT, reason);
    if let Some(files) = config.files(dir, "CrossLayerTranscoder::from_pretrained")? {
        return read_cross_layer_files(&config, &files);
    }
    let n = (0..).take_while(|&layer| encoder_path(dir, layer).is_file());
    let n = n.count();
    if n == 0 {
        return Err(bad("there is no W_enc_0.safetensors beside it"));
    }
    let (mut w_enc, mut b_enc, mut w_dec) = (Vec::new(), Vec::new(), Vec::new());
    let (mut b_dec, mut activations) = (Vec::new(), Vec::new());
    for layer in 0..n {
        let mut encoder = Tensors::read(&encoder_path(dir, layer), FORMAT)?;
        w_enc.push(encoder.take_transposed(&format!("W_enc_{layer}"))?);
        b_enc.push(encoder.take(&format!("b_enc_{layer}"))?);
        b_dec.push(encoder.take(&format!("b_dec_{layer}"))?);
        let name = format!("threshold_{layer}");
        activations.push(match encoder.holds(&name) {
            false => TranscoderActivation::Relu,
            true => {
                let threshold = encoder.take(&name)?;
                let refuse = |reason: &str| encoder.refuse(format!("{name} {reason}"));
                jump_relu(threshold, refuse)?
            }
        });
        encoder.finish("the encoder of a layer")?;
        let mut decoder = Tensors::read(&decoder_path(dir, layer), FORMAT)?;
        w_dec.push(decoder.take(&format!("W_dec_{layer}"))?);
        decoder.finish("the decoder of a layer")?;
    }
    let names = (0..n).map(|layer| config.hook_names(layer));
    let (reads, writes): (Vec<String>, Vec<String>) = names.unzip();
    CrossLayerTranscoder::new(w_enc, b_enc, w_dec, b_dec, activations)?.between(&reads, &writes)
}

/// JumpReLU; rejects a threshold below 0, which would let negative activations through.
fn jump_relu(threshold: Tensor, refuse: impl Fn(&str) -> Error) -> Result<TranscoderActivation> {
    let values = threshold.flatten_all()?.to_vec1::<f32>()?;
    if values.iter().any(|t| *t < 0.0) {
        let reason = "is below 0 for some features, whose activations could be negative";
        return Err(refuse(reason));
    }
    Ok(TranscoderActivation::JumpRelu { threshold })
}

/// The cross-layer transcoder of Gemma Scope 2 whose layers, from 0 on, are in these files.
///
/// # Errors
/// Those of [`read_cross_layer`]; [`Error::Format`] for a skip connection and for weights to earlier layers.
pub(in crate::sae::format) fn read_cross_layer_files(
    config: &SetConfig,
    files: &[PathBuf],
) -> Result<CrossLayerTranscoder> {
    let (mut w_enc, mut b_enc, mut w_dec) = (Vec::new(), Vec::new(), Vec::new());
    let (mut b_dec, mut activations) = (Vec::new(), Vec::new());
    for (layer, file) in files.iter().enumerate() {
        let tensors = Tensors::read(file, FORMAT)?;
        let refuse = |reason: &str| Error::format(file, FORMAT, format!("threshold {reason}"));
        let found = gemma_scope_2::cross_layer(tensors, layer, files.len())?;
        activations.push(jump_relu(found.threshold, refuse)?);
        w_enc.push(found.w_enc);
        b_enc.push(found.b_enc);
        w_dec.push(found.w_dec);
        b_dec.push(found.b_dec);
    }
    let names = (0..files.len()).map(|layer| config.hook_names(layer));
    let (reads, writes): (Vec<String>, Vec<String>) = names.unzip();
    CrossLayerTranscoder::new(w_enc, b_enc, w_dec, b_dec, activations)?.between(&reads, &writes)
}

/// Whether circuit-tracer can read `of`. It does not support TopK, activation functions or widths that differ between
/// layers, an output of another width than the input, or hook points that differ between blocks.
pub(in crate::sae::format) fn has_circuit_tracer_form(of: &CrossLayerTranscoder) -> bool {
    hooks(of).is_some()
}

/// Writes `of` as circuit-tracer reads it.
///
/// # Errors
/// [`Error::Argument`] where [`has_circuit_tracer_form`] is false, and for a folder with the files of more layers;
/// [`Error::Io`].
pub(in crate::sae::format) fn write_cross_layer(
    of: &CrossLayerTranscoder,
    dir: &Path,
) -> Result<()> {
    let Some((input, output)) = hooks(of) else {
        let reason = "circuit-tracer has no form for it";
        return Err(Error::argument("transcoder", of.summary(), reason));
    };
    let n = of.n_layers();
    let left_over = encoder_path(dir, n);
    if left_over.exists() {
        let reason = format!(
            "it holds {}, of a transcoder of more layers, which circuit-tracer would read as part of this one of {n}; \
             choose another folder",
            left_over.display()
        );
        return Err(Error::argument("dir", dir.display(), reason));
    }
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    for layer in 0..n {
        let mut encoder = vec![
            (format!("W_enc_{layer}"), of.w_enc[layer].t()?.contiguous()?),
            (format!("b_enc_{layer}"), of.b_enc[layer].contiguous()?),
            (format!("b_dec_{layer}"), of.b_dec[layer].contiguous()?),
        ];
        if let TranscoderActivation::JumpRelu { threshold } = &of.activations[layer] {
            // An active feature is also above 0 here, which circuit-tracer does not require.
            let threshold = threshold.maximum(0f32)?.contiguous()?;
            encoder.push((format!("threshold_{layer}"), threshold));
        }
        write_tensors(&encoder_path(dir, layer), &encoder)?;
        let decoder = [(format!("W_dec_{layer}"), of.w_dec[layer].contiguous()?)];
        write_tensors(&decoder_path(dir, layer), &decoder)?;
    }
    let text = SetConfig::text_of_cross_layer(&input, &output);
    write_whole(&dir.join(CONFIG), text.as_bytes())
}

fn write_tensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let tensors = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    let bytes =
        safetensors::serialize(tensors, None).map_err(|e| Error::format(path, FORMAT, e))?;
    write_whole(path, &bytes)
}

/// The two hook points within a block, where circuit-tracer can represent `of`.
fn hooks(of: &CrossLayerTranscoder) -> Option<(String, String)> {
    let activations = &of.activations;
    let jump = |a: &TranscoderActivation| matches!(a, TranscoderActivation::JumpRelu { .. });
    let relu = |a: &TranscoderActivation| matches!(a, TranscoderActivation::Relu);
    let alike = activations.iter().all(jump) || activations.iter().all(relu);
    let shape = of.w_enc[0].dims();
    let d_model = of.b_dec[0].dims();
    let widths = of.w_enc.iter().all(|w| w.dims() == shape) && shape.first() == d_model.first();
    let within = |names: &[String]| -> Option<String> {
        let point = names[0].strip_prefix("blocks.0.")?.to_owned();
        let same = |(layer, name): (usize, &String)| *name == format!("blocks.{layer}.{point}");
        names.iter().enumerate().all(same).then_some(point)
    };
    let (input, output) = (within(&of.hook_names)?, within(&of.hook_names_out)?);
    // These names would be read back as others.
    let renamed = input == "hook_mlp_in" || output == "mlp.hook_out";
    (alike && widths && !renamed).then_some((input, output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn tensor(shape: &[usize], seed: f32) -> Tensor {
        let n: usize = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|i| (seed + 1.7 * i as f32).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn of_three(activation: impl Fn(usize) -> TranscoderActivation) -> CrossLayerTranscoder {
        let each = |shape: &dyn Fn(usize) -> Vec<usize>, seed: f32| {
            let layers = (0..3).map(|l| tensor(&shape(l), seed + l as f32));
            layers.collect::<Vec<Tensor>>()
        };
        CrossLayerTranscoder::new(
            each(&|_| vec![4, 7], 1.0),
            each(&|_| vec![7], 2.0),
            each(&|l| vec![7, 3 - l, 4], 3.0),
            each(&|_| vec![4], 4.0),
            (0..3).map(activation).collect(),
        )
        .unwrap()
    }

    fn outputs(of: &CrossLayerTranscoder) -> Vec<Vec<Vec<f32>>> {
        let x: Vec<Tensor> = (0..3).map(|l| tensor(&[6, 4], 9.0 + l as f32)).collect();
        let y = of.reconstruct(&x).unwrap();
        y.iter().map(|y| y.to_vec2::<f32>().unwrap()).collect()
    }

    #[test]
    fn what_is_written_is_read_back_as_the_same_function() {
        let jump = |l: usize| TranscoderActivation::JumpRelu {
            threshold: tensor(&[7], l as f32),
        };
        for saved in [of_three(|_| TranscoderActivation::Relu), of_three(jump)] {
            let dir = tempfile::tempdir().unwrap();
            write_cross_layer(&saved, dir.path()).unwrap();
            let back = read_cross_layer(dir.path()).unwrap();
            assert_eq!(outputs(&back), outputs(&saved));
            assert_eq!(back.hook_names, saved.hook_names);
            assert_eq!(back.hook_names_out, saved.hook_names_out);
            // Twice into the same folder.
            write_cross_layer(&saved, dir.path()).unwrap();
            // circuit-tracer counts the files.
            std::fs::copy(encoder_path(dir.path(), 0), encoder_path(dir.path(), 3)).unwrap();
            let error = write_cross_layer(&saved, dir.path()).unwrap_err();
            assert!(error.to_string().contains("more layers"), "{error}");
        }
    }

    #[test]
    fn what_circuit_tracer_has_no_form_for_is_not_written() {
        let refused = |of: &CrossLayerTranscoder| {
            let dir = tempfile::tempdir().unwrap();
            assert!(write_cross_layer(of, dir.path()).is_err());
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
            !has_circuit_tracer_form(of)
        };
        assert!(refused(&of_three(|_| TranscoderActivation::TopK { k: 2 })));
        let mixed = |l: usize| match l {
            0 => TranscoderActivation::Relu,
            _ => TranscoderActivation::JumpRelu {
                threshold: tensor(&[7], 0.0),
            },
        };
        assert!(refused(&of_three(mixed)));
        let mut elsewhere = of_three(|_| TranscoderActivation::Relu);
        elsewhere.hook_names[1] = "blocks.1.hook_resid_mid".to_owned();
        assert!(refused(&elsewhere));
    }

    /// Two layers of two features in a model one wide, as Gemma Scope 2 has them: `w_dec [d_sae, n_layers, d_out]`.
    #[test]
    fn files_of_gemma_scope_2_are_the_layers_of_one_transcoder() {
        let dir = tempfile::tempdir().unwrap();
        let of = |values: &[f32], shape: &[usize]| {
            Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
        };
        let write = |layer: usize, w_dec: &[f32], more: &[(&str, Tensor)]| {
            let mut tensors = vec![
                ("w_enc".to_owned(), of(&[1.0, -1.0], &[1, 2])),
                ("b_enc".to_owned(), of(&[0.0, 0.0], &[2])),
                ("w_dec".to_owned(), of(w_dec, &[2, 2, 1])),
                ("b_dec".to_owned(), of(&[0.5], &[1])),
                ("threshold".to_owned(), of(&[1.0, 1.0], &[2])),
            ];
            tensors.extend(more.iter().map(|(n, t)| ((*n).to_owned(), t.clone())));
            write_tensors(
                &dir.path().join(format!("layer_{layer}.safetensors")),
                &tensors,
            )
            .unwrap();
        };
        let text = "model_kind: cross_layer_transcoder\nfeature_input_hook: hook_resid_mid\n\
                    feature_output_hook: hook_mlp_out\ntranscoders:\n- layer_0.safetensors\n- layer_1.safetensors\n";
        std::fs::write(dir.path().join(CONFIG), text).unwrap();
        write(0, &[1.0, 10.0, 2.0, 20.0], &[]);
        write(1, &[0.0, 100.0, 0.0, 200.0], &[]);
        let found = read_cross_layer(dir.path()).unwrap();
        assert_eq!(found.hook_names[1], "blocks.1.hook_resid_mid");
        let y = found.reconstruct(&[of(&[3.0, 0.9], &[2, 1]), of(&[-2.0, -2.0], &[2, 1])]);
        let y: Vec<Vec<f32>> = y
            .unwrap()
            .iter()
            .map(|y| y.flatten_all().unwrap().to_vec1().unwrap())
            .collect();
        // acts_0 = (3, 0), then (0, 0), below the threshold; acts_1 = (0, 2).
        assert_eq!(y, [[3.5, 0.5], [430.5, 400.5]]);
        let refused = || read_cross_layer(dir.path()).unwrap_err().to_string();
        write(1, &[7.0, 100.0, 0.0, 200.0], &[]);
        assert!(refused().contains("earlier layers"), "{}", refused());
        write(
            1,
            &[0.0, 100.0, 0.0, 200.0],
            &[("affine_skip_connection", of(&[1.0], &[1, 1]))],
        );
        assert!(refused().contains("skip connection"), "{}", refused());
        write(1, &[0.0, 100.0, 0.0, 200.0], &[("odd", of(&[1.0], &[1]))]);
        assert!(refused().contains("odd"), "{}", refused());
    }

    #[test]
    fn files_that_are_odd_are_refused_by_name() {
        let jump = |_| TranscoderActivation::JumpRelu {
            threshold: tensor(&[7], 1.0),
        };
        let dir = tempfile::tempdir().unwrap();
        write_cross_layer(&of_three(jump), dir.path()).unwrap();
        let path = encoder_path(dir.path(), 1);
        let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        type Tensors = Vec<(String, Tensor)>;
        let message = |change: &dyn Fn(&mut Tensors)| {
            let mut changed: Tensors = tensors.clone().into_iter().collect();
            change(&mut changed);
            write_tensors(&path, &changed).unwrap();
            read_cross_layer(dir.path()).unwrap_err().to_string()
        };
        let below = message(&|all| {
            let threshold = all
                .iter_mut()
                .find(|(name, _)| name == "threshold_1")
                .unwrap();
            threshold.1 = (&threshold.1 - 2.0).unwrap();
        });
        assert!(below.contains("threshold_1 is below 0"), "{below}");
        let odd = message(&|all| all.push(("odd".to_owned(), tensor(&[2], 0.0))));
        assert!(odd.contains("odd"), "{odd}");
        let lacking = message(&|all| all.retain(|(name, _)| name != "b_dec_1"));
        assert!(lacking.contains("b_dec_1"), "{lacking}");
        std::fs::remove_file(decoder_path(dir.path(), 2)).unwrap();
        assert!(read_cross_layer(dir.path()).is_err());
    }
}
