//! This library's own folders are read as strictly as its peers'.

use crate::tensors::{edit_json, edit_tensors, with_first};
use crate::{Tensors, refusal, zeros};
use holoscope::config::TransformerConfig;
use holoscope::model::Transformer;
use serde_json::json;

#[test]
fn own_folders_refuse_unknown_fields_and_tensors_and_what_is_not_finite() {
    let cfg = TransformerConfig {
        d_vocab: 11,
        d_model: 8,
        d_mlp: 16,
        ..TransformerConfig::default()
    };
    let load = |edit: &dyn Fn(&mut Tensors), config: &str| {
        let dir = tempfile::tempdir().unwrap();
        Transformer::new(&cfg).unwrap().save(dir.path()).unwrap();
        // candle writes no metadata, so that config.json is read.
        edit_tensors(&dir.path().join("model.safetensors"), |t| edit(t));
        edit_json(&dir.path().join("config.json"), |f| {
            if !config.is_empty() {
                f.insert(config.to_owned(), json!(1));
            }
        });
        Transformer::load(dir.path())
    };
    load(&|_| (), "").unwrap();
    let message = refusal(load(&|_| (), "soft_cap"));
    assert!(message.contains("soft_cap"), "{message}");
    // The optimiser's state of a parameter may be there, of nothing else.
    let moments = |t: &mut Tensors| _ = t.insert("adamw.m.embed.W_E".to_owned(), zeros(&[11, 8]));
    load(&moments, "").unwrap();
    for name in ["adamw.m.embed.W_X", "adamw.z.embed.W_E", "blocks.1.ln1.w"] {
        let extra = |t: &mut Tensors| _ = t.insert(name.to_owned(), zeros(&[2]));
        let message = refusal(load(&extra, ""));
        assert!(message.contains(name), "{message}");
    }
    let spoil = |t: &mut Tensors| {
        let spoilt = with_first(&t["embed.W_E"], f32::NAN);
        t.insert("embed.W_E".to_owned(), spoilt);
    };
    let message = refusal(load(&spoil, ""));
    assert!(message.contains("embed.W_E[0, 0] is NaN"), "{message}");
}
