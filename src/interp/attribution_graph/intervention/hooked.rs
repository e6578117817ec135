//! A pass of the model itself in which MLPs write something else, with or without frozen parts.
//! Frozen: patterns and scales are those of the prompt, MLPs write what they wrote there.
//! Source: circuit-tracer's `feature_intervention` (`constrained_layers`, `freeze_attention`).

use super::super::frozen::{FrozenModel, MlpInput, read_input};
use crate::error::Result;
use crate::model::{BlockPoint, Hook, HookName};
use candle_core::{Device, IndexOp, Tensor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// What is added to the output of a block's MLP, `[pos, d_model]`, given what its transcoder reads
/// now, `[pos, d_model]`, f32 on the CPU.
pub(in super::super) type Replacement = dyn Fn(usize, &Tensor) -> Result<Option<Tensor>>;

/// What a pass left.
pub(in super::super) struct HookedRun {
    /// What the transcoder of each block that has one read, `[pos, d_model]`, f32 on the CPU.
    pub(in super::super) inputs: BTreeMap<usize, Tensor>,
    /// At the last position, `[d_vocab]`.
    pub(in super::super) logits: Vec<f64>,
}

/// What has been read so far in a pass, by hook point.
type Seen = Rc<RefCell<BTreeMap<HookName, Tensor>>>;

/// One pass over the prompt; `others` are called after what this pass does by itself.
pub(in super::super) fn hooked_run(
    frozen: &Arc<FrozenModel>,
    freeze: bool,
    added: Rc<Replacement>,
    others: Vec<Hook>,
) -> Result<HookedRun> {
    let seen = Seen::default();
    let mut hooks = match freeze {
        true => freezing(frozen),
        false => Vec::new(),
    };
    for layer in frozen.mlp_layers() {
        if let Some(transcoder) = frozen.transcoder(layer) {
            hooks.push(watching(input_point(layer, transcoder.input), &seen));
        }
        hooks.push(writing(frozen, layer, freeze, &added, &seen));
    }
    hooks.extend(others);
    let logits = frozen.model.run_with_hooks(&frozen.tokens, &hooks)?;
    let mut inputs = BTreeMap::new();
    for layer in frozen.mlp_layers() {
        if let Some(x) = input_now(frozen, layer, &seen)? {
            inputs.insert(layer, x);
        }
    }
    let last = logits.i((0, frozen.n_pos() - 1))?;
    let last = last.to_device(&Device::Cpu)?;
    Ok(HookedRun {
        inputs,
        logits: last.to_dtype(candle_core::DType::F64)?.to_vec1()?,
    })
}

fn input_point(layer: usize, input: MlpInput) -> HookName {
    let point = match input {
        MlpInput::ResidMid => BlockPoint::ResidMid,
        MlpInput::Normalized | MlpInput::MlpIn => BlockPoint::Ln2Normalized,
    };
    HookName::Block { layer, point }
}

/// What the transcoder of a block reads in this pass.
fn input_now(frozen: &FrozenModel, layer: usize, seen: &Seen) -> Result<Option<Tensor>> {
    let Some(transcoder) = frozen.transcoder(layer) else {
        return Ok(None);
    };
    let of_pass = |name: HookName| match seen.borrow().get(&name) {
        Some(value) => Ok(value.clone()),
        None => frozen.cache.at(name),
    };
    read_input(&frozen.model, layer, transcoder.input, of_pass).map(Some)
}

fn watching(name: HookName, seen: &Seen) -> Hook {
    let seen = seen.clone();
    Hook::new(&name.to_string(), move |x| {
        seen.borrow_mut().insert(name, x.clone());
        Ok(None)
    })
}

/// Hooks that keep patterns and scales as they were on the prompt.
fn freezing(frozen: &Arc<FrozenModel>) -> Vec<Hook> {
    use BlockPoint::{Ln1Scale, Ln2Scale, Pattern};
    let kept = |name: &HookName| match name {
        HookName::LnFinalScale => true,
        HookName::Block { point, .. } => matches!(point, Pattern | Ln1Scale | Ln2Scale),
        _ => false,
    };
    let names = HookName::all(frozen.model.cfg()).into_iter().filter(kept);
    let hooks = names.map(|name| {
        let frozen = frozen.clone();
        Hook::new(&name.to_string(), move |_| frozen.cache.at(name).map(Some))
    });
    hooks.collect()
}

/// The hook that lets the MLP of a block write something else.
fn writing(
    frozen: &Arc<FrozenModel>,
    layer: usize,
    freeze: bool,
    added: &Rc<Replacement>,
    seen: &Seen,
) -> Hook {
    let (frozen, added, seen) = (frozen.clone(), added.clone(), seen.clone());
    let name = HookName::Block {
        layer,
        point: BlockPoint::MlpOut,
    };
    Hook::new(&name.to_string(), move |out| {
        let mut new = match freeze {
            true => frozen.cache.at(name)?,
            false => out.clone(),
        };
        let Some(x) = input_now(&frozen, layer, &seen)? else {
            return Ok(Some(new));
        };
        let transcoder = frozen.transcoder(layer);
        let skip = transcoder.and_then(|t| Some((t, t.transcoder.w_skip.as_ref()?)));
        let mut add = |change: Tensor| -> Result<()> {
            let change = change.to_device(new.device())?.to_dtype(new.dtype())?;
            new = new.broadcast_add(&change)?;
            Ok(())
        };
        if let (true, Some((transcoder, w_skip))) = (freeze, skip) {
            let moved = (&x - transcoder.x.to_device(x.device())?)?;
            add(moved.to_device(w_skip.device())?.matmul(w_skip)?)?;
        }
        if let Some(change) = added(layer, &x)? {
            add(change)?;
        }
        Ok(Some(new))
    })
}
