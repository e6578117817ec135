//! Writing the file, and measuring what its integers change.

use super::*;
use crate::data::{TokenSplit, hex};
use crate::file::write_whole;
use crate::interp::activations::{encoded_rows, hook_rows};
use crate::interp::features::to_residual;
use crate::sae::SparseAutoencoder;
use sha2::{Digest, Sha256};

/// Sequences on which the difference is measured.
const SEQUENCES: usize = 8;

/// A file with which a page computes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PageModel {
    /// As it was given: relative to the notebook's folder.
    pub file: String,
    pub sha256: String,
    pub bytes: usize,
    /// Tokens of its vocabulary.
    pub n_vocab: usize,
    /// `|a' - a| / |a|` over the activations of the features (of the residual stream where there is no
    /// autoencoder) on some sequences: what integers as weights change.
    pub difference: f64,
}

impl PageModel {
    /// Writes `path`, and measures the difference on the first sequences of `split`.
    pub(crate) fn write(
        of: &NeuroscopeModel,
        path: &Path,
        split: &TokenSplit,
    ) -> Result<PageModel> {
        let (bytes, tokenizer) = page_bytes(of, split)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        write_whole(path, &bytes)?;
        let read = NeuroscopeModel::of_page(&bytes)?;
        Ok(PageModel {
            file: path.display().to_string(),
            sha256: hex(&Sha256::digest(&bytes)),
            bytes: bytes.len(),
            n_vocab: tokenizer.n_vocab(),
            difference: difference(&of.subject, &read.subject, split)?,
        })
    }
}

/// The file's bytes, and the tokenizer of its vocabulary.
fn page_bytes(of: &NeuroscopeModel, split: &TokenSplit) -> Result<(Vec<u8>, Tokenizer)> {
    let subject = &of.subject;
    let whole = &subject.tokenizer;
    let kept = match whole.is_compact() {
        // It is the corpus' own already.
        true => whole.clone(),
        // With the 256 tokens of one byte, by which any text can be spelled.
        false => {
            let ids = split.documents().concat().into_iter();
            Tokenizer::compact(&gpt2_ids(whole, ids.chain(0..256)))?
        }
    };
    let rows: Vec<u32> = (0..kept.n_vocab() as u32)
        .filter_map(|id| whole.from_gpt2(kept.to_gpt2(id)))
        .collect();
    let rows = Tensor::from_vec(rows, kept.n_vocab(), &Device::Cpu)?;
    let mut cfg = subject.model.cfg().clone();
    cfg.d_vocab = kept.n_vocab();
    cfg.device = DeviceKind::Cpu;
    cfg.dtype = Precision::F32;
    let mut tensors = Vec::new();
    for (name, value) in subject.model.named_parameters() {
        let value = value.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        let value = match name.as_str() {
            "embed.W_E" | "unembed.b_U" => value.index_select(&rows, 0)?,
            "unembed.W_U" => value.index_select(&rows, 1)?,
            _ => value,
        };
        tensors.push((format!("{MODEL}{name}"), value));
    }
    let mut dictionary = None;
    if let Some(Dictionary { sae, hook_name, .. }) = &subject.dictionary {
        let state = sae.to_state()?;
        let written = written(&subject.model, sae, hook_name);
        let names_decoder = |name: &str| name == W_DEC && written.is_some();
        for (name, value) in state.tensors {
            if names_decoder(&name) {
                continue;
            }
            let value = value.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
            tensors.push((format!("{SAE}{name}"), value));
        }
        if let Some(written) = written {
            tensors.push((WRITTEN.to_owned(), written.to_device(&Device::Cpu)?));
        }
        dictionary = Some(DictionaryHeader {
            hook_name: hook_name.clone(),
            d_in: sae.d_in(),
            cfg: state.cfg,
        });
    }
    if let Some(census) = &of.census {
        let of = |values: Vec<f32>| Tensor::new(values, &Device::Cpu);
        tensors.push((MAXIMUM.to_owned(), of(census.maximum.clone())?));
        let density = census.density.iter().map(|&d| d as f32).collect();
        tensors.push((DENSITY.to_owned(), of(density)?));
    }
    let header = Header {
        version: 1,
        model: cfg,
        tokens: gpt2_ids(&kept, 0..kept.n_vocab() as u32),
        dictionary,
    };
    Ok((serialise(&header, &tensors)?, kept))
}

/// What the features add to the residual stream, where that is smaller than the decoder and nothing else
/// needs the decoder.
fn written(model: &Transformer, sae: &Sae, hook_name: &str) -> Option<Tensor> {
    let encodes_with_decoder = matches!(sae, Sae::MatchingPursuit(_) | Sae::Temporal(_));
    if encodes_with_decoder || sae.d_in() <= model.cfg().d_model {
        return None;
    }
    // At a hook point that writes nothing there is nothing to say of the decoder, either.
    let w_dec = sae.w_dec().to_device(model.device()).ok()?;
    to_residual(model, hook_name, &w_dec).ok()
}

fn gpt2_ids(tokenizer: &Tokenizer, ids: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut ids: Vec<u32> = ids.map(|id| tokenizer.to_gpt2(id)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn serialise(header: &Header, tensors: &[(String, Tensor)]) -> Result<Vec<u8>> {
    let mut buffers = Vec::with_capacity(2 * tensors.len());
    for (name, value) in tensors {
        let values = value.flatten_all()?.to_vec1::<f32>()?;
        // What a census or a bias has stays as it is: its size is nothing.
        if values.len() < SMALL || value.rank() < 2 {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            buffers.push((name.clone(), Dtype::F32, value.dims().to_vec(), bytes));
            continue;
        }
        let (quantised, scales) = quantise(&values);
        let n = scales.len() / 2;
        buffers.push((name.clone(), Dtype::I8, value.dims().to_vec(), quantised));
        buffers.push((format!("{name}{SCALE}"), Dtype::F16, vec![n], scales));
    }
    let bad = |err: safetensors::SafeTensorError| Error::format("the page's model", FORMAT, err);
    let mut views = Vec::with_capacity(buffers.len());
    for (name, dtype, shape, bytes) in &buffers {
        let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(bad)?;
        views.push((name.clone(), view));
    }
    let metadata = HashMap::from([(KEY.to_owned(), serde_json::to_string(header)?)]);
    safetensors::serialize(views, Some(metadata)).map_err(bad)
}

/// Values as bytes of 8 bits, and the bytes of their scales.
fn quantise(values: &[f32]) -> (Vec<u8>, Vec<u8>) {
    let (mut quantised, mut scales) = (Vec::with_capacity(values.len()), Vec::new());
    for block in values.chunks(BLOCK) {
        let most = block.iter().fold(0f32, |most, v| most.max(v.abs()));
        // As it will be read: rounded up, so that no value leaves the range.
        let mut scale = f16::from_f32(most / LEVELS);
        if scale.to_f32() * LEVELS < most {
            scale = f16::from_bits(scale.to_bits() + 1);
        }
        let divisor = match scale.to_f32() {
            0.0 => 1.0,
            scale => scale,
        };
        let q = |v: &f32| (v / divisor).round().clamp(-LEVELS, LEVELS) as i8 as u8;
        quantised.extend(block.iter().map(q));
        scales.extend(scale.to_le_bytes());
    }
    (quantised, scales)
}

/// How far the activations of the page's model are from the notebook's.
fn difference(ours: &Subject, page: &Subject, split: &TokenSplit) -> Result<f64> {
    let n_ctx = ours.model.cfg().n_ctx;
    // Of a split with none, what is asked for says that it is too short.
    let n = split.n_sequences(n_ctx).clamp(1, SEQUENCES);
    let squares = |x: &Tensor| -> Result<f64> {
        let sum = x.sqr()?.sum_all()?.to_scalar::<f32>()?;
        Ok(f64::from(sum))
    };
    let (mut size, mut away) = (0.0, 0.0);
    // One at a time: `[n_ctx, d_sae]` is large enough.
    for first in 0..n {
        let tokens = split.sequences_from(first, 1, n_ctx, &Device::Cpu)?;
        let ids = tokens.flatten_all()?.to_vec1::<u32>()?;
        let to_page = |id: u32| {
            let own = page.tokenizer.from_gpt2(ours.tokenizer.to_gpt2(id));
            own.unwrap_or(page.tokenizer.bos())
        };
        let ids: Vec<u32> = ids.into_iter().map(to_page).collect();
        let of_page = acts(page, &Tensor::from_vec(ids, (1, n_ctx), &Device::Cpu)?)?;
        let tokens = tokens.to_device(ours.model.device())?;
        let of_ours = acts(ours, &tokens)?.to_device(&Device::Cpu)?;
        size += squares(&of_ours)?;
        away += squares(&(of_page - of_ours)?)?;
    }
    Ok(match size > 0.0 {
        true => (away / size).sqrt(),
        false => away.sqrt(),
    })
}

/// The activations of the features, or of the last residual stream where there is no autoencoder.
fn acts(subject: &Subject, tokens: &Tensor) -> Result<Tensor> {
    match &subject.dictionary {
        Some(Dictionary { sae, hook_name, .. }) => {
            encoded_rows(&subject.model, sae, hook_name, tokens)
        }
        None => {
            let cfg = subject.model.cfg();
            let last = format!("blocks.{}.hook_resid_post", cfg.n_layers - 1);
            hook_rows(&subject.model, &last, tokens, cfg.d_model)
        }
    }
}
