//! What stands in the place of MLPs, block by block: transcoders as they are, a cross-layer transcoder taken apart.

use crate::error::{Error, Result};
use crate::interp::measurements::MlpReplacement;
use crate::sae::{CrossLayerTranscoder, Transcoder};
use candle_core::{IndexOp, Tensor};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A transcoder for each block that has one; of a cross-layer transcoder each layer, with what it writes to its own
/// block.
pub(super) fn by_block(replacement: &MlpReplacement) -> Result<Cow<'_, [Transcoder]>> {
    let of_all = match replacement {
        MlpReplacement::Transcoders(transcoders) => return Ok(Cow::Borrowed(transcoders)),
        MlpReplacement::CrossLayer(of_all) => of_all,
    };
    let layers = (0..of_all.n_layers()).map(|layer| {
        let w_dec = of_all.w_dec[layer].i((.., 0, ..))?.contiguous()?;
        let (w_enc, b_enc) = (of_all.w_enc[layer].clone(), of_all.b_enc[layer].clone());
        let (b_dec, activation) = (
            of_all.b_dec[layer].clone(),
            of_all.activations[layer].clone(),
        );
        let of_layer = Transcoder::new(layer, w_enc, b_enc, w_dec, b_dec, activation)?;
        Ok(of_layer.between(&of_all.hook_names[layer], &of_all.hook_names_out[layer]))
    });
    Ok(Cow::Owned(layers.collect::<Result<_>>()?))
}

/// What layer `index` of a cross-layer transcoder, whose layers are at `blocks`, writes to later blocks.
///
/// # Errors
/// [`Error::Argument`] where the blocks are not in their order.
pub(super) fn later_decoders(
    of_all: &CrossLayerTranscoder,
    index: usize,
    blocks: &[Option<usize>],
) -> Result<BTreeMap<usize, Tensor>> {
    let mut decoders = BTreeMap::new();
    for (later, block) in blocks.iter().enumerate().skip(index + 1) {
        if *block <= blocks[index] {
            let reason =
                "layers of a cross-layer transcoder must reconstruct blocks in their order";
            let names = format!("{:?}", of_all.hook_names_out);
            return Err(Error::argument("hook_names_out", names, reason));
        }
        if let Some(block) = *block {
            let decoder = of_all.w_dec[index]
                .i((.., later - index, ..))?
                .contiguous()?;
            decoders.insert(block, decoder);
        }
    }
    Ok(decoders)
}
