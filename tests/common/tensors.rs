//! Folders of peers' models, copied and changed.
#![allow(dead_code, reason = "each test file uses its own part")]

use candle_core::{Device, Tensor};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

pub fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

pub fn edit_json(path: &Path, edit: impl FnOnce(&mut Map<String, Value>)) {
    let text = std::fs::read_to_string(path).unwrap();
    let Value::Object(mut fields) = serde_json::from_str(&text).unwrap() else {
        panic!("{} is no object", path.display())
    };
    edit(&mut fields);
    std::fs::write(path, Value::Object(fields).to_string()).unwrap();
}

pub fn edit_tensors(path: &Path, edit: impl FnOnce(&mut HashMap<String, Tensor>)) {
    let mut tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    edit(&mut tensors);
    candle_core::safetensors::save(&tensors, path).unwrap();
}

/// `tensor` with `value` in the place of its first entry.
pub fn with_first(tensor: &Tensor, value: f32) -> Tensor {
    let mut values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values[0] = value;
    Tensor::from_vec(values, tensor.shape(), &Device::Cpu).unwrap()
}

pub fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let d = (a - b).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>());
    d.expect("two tensors of one shape have a largest difference")
}
