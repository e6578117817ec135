//! Files as PyTorch and NumPy write them, byte by byte.
//!
//! The pickle has the instructions that `torch.save` of an `OrderedDict` of tensors gives (protocol 2;
//! `python -m pickletools`), the arrays the header of `np.save`.

// Each test uses a part of it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::Write;
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// One tensor, as a view of a storage of its own.
#[derive(Debug, Clone)]
pub struct Entry {
    pub name: String,
    /// The storage's class: "FloatStorage", "IntStorage", ..
    pub class: &'static str,
    pub storage: Vec<u8>,
    /// Bytes of one number.
    pub size: usize,
    pub shape: Vec<usize>,
    /// In numbers; those of a contiguous tensor unless set.
    pub strides: Vec<usize>,
    pub offset: usize,
}

impl Entry {
    /// A contiguous tensor.
    pub fn new(
        name: &str,
        class: &'static str,
        size: usize,
        storage: Vec<u8>,
        shape: &[usize],
    ) -> Self {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        Self {
            name: name.to_owned(),
            class,
            storage,
            size,
            shape: shape.to_vec(),
            strides,
            offset: 0,
        }
    }

    /// A contiguous tensor of f32.
    pub fn floats(name: &str, values: &[f32], shape: &[usize]) -> Self {
        Self::new(name, "FloatStorage", 4, bytes(values), shape)
    }

    /// A tensor of f32 whose axes lie the other way round, as `w.T` is saved: `values` are those of
    /// the tensor as it is read.
    pub fn transposed(name: &str, values: &[f32], shape: [usize; 2]) -> Self {
        let [rows, columns] = shape;
        let stored: Vec<f32> = (0..columns)
            .flat_map(|j| (0..rows).map(move |i| values[i * columns + j]))
            .collect();
        Self {
            strides: vec![1, rows],
            ..Self::floats(name, &stored, &shape)
        }
    }

    /// A tensor without axes, as a buffer `torch.tensor(n, dtype=torch.int)` is.
    pub fn int(name: &str, n: i32) -> Self {
        Self::new(name, "IntStorage", 4, n.to_le_bytes().to_vec(), &[])
    }

    /// A tensor without axes, as a buffer `torch.tensor(x)` is.
    pub fn float(name: &str, x: f32) -> Self {
        Self::floats(name, &[x], &[])
    }
}

pub fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The bytes of `torch.save(state_dict)`.
pub fn torch_file(entries: &[Entry]) -> Vec<u8> {
    torch_archive(&pickle(entries), entries)
}

/// An archive with any `data.pkl`.
pub fn torch_archive(pickle: &[u8], entries: &[Entry]) -> Vec<u8> {
    let mut members = vec![
        ("archive/data.pkl".to_owned(), pickle.to_vec()),
        ("archive/byteorder".to_owned(), b"little".to_vec()),
    ];
    for (key, entry) in entries.iter().enumerate() {
        members.push((format!("archive/data/{key}"), entry.storage.clone()));
    }
    members.push(("archive/version".to_owned(), b"3\n".to_vec()));
    archive(&members, CompressionMethod::Stored)
}

fn pickle(entries: &[Entry]) -> Vec<u8> {
    let mut out = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(".to_vec();
    for (key, entry) in entries.iter().enumerate() {
        text(&mut out, &entry.name);
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut out, "storage");
        out.extend(format!("ctorch\n{}\n", entry.class).bytes());
        text(&mut out, &key.to_string());
        text(&mut out, "cpu");
        number(&mut out, entry.storage.len() / entry.size);
        out.extend(b"tQ");
        number(&mut out, entry.offset);
        for axes in [&entry.shape, &entry.strides] {
            out.push(b'(');
            for &axis in axes {
                number(&mut out, axis);
            }
            out.push(b't');
        }
        out.extend(b"\x89h\x00)RtR");
    }
    out.push(b'u');
    // The state of the OrderedDict: its `_metadata`.
    out.push(b'}');
    text(&mut out, "_metadata");
    out.extend(b"h\x00)Rsb.");
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.bytes());
}

fn number(out: &mut Vec<u8>, n: usize) {
    match u8::try_from(n) {
        Ok(n) => out.extend([b'K', n]),
        Err(_) => {
            out.push(b'J');
            out.extend((n as i32).to_le_bytes());
        }
    }
}

/// The bytes of `np.savez_compressed` of f32 arrays in C order.
pub fn npz_file(arrays: &[(&str, &[f32], &[usize])]) -> Vec<u8> {
    let members: Vec<_> = arrays
        .iter()
        .map(|(name, values, shape)| {
            let dims: String = shape.iter().map(|dim| format!("{dim}, ")).collect();
            let header =
                format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({dims}), }}\n");
            let mut file = b"\x93NUMPY\x01\x00".to_vec();
            file.extend((header.len() as u16).to_le_bytes());
            file.extend(header.bytes());
            file.extend(bytes(values));
            (format!("{name}.npy"), file)
        })
        .collect();
    archive(&members, CompressionMethod::Deflated)
}

fn archive(members: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in members {
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Writes a file of f32 tensors as safetensors.
pub fn write_safetensors(path: &Path, tensors: &[(&str, &[f32], &[usize])]) {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).unwrap();
    }
    let tensors = tensors.iter().map(|(name, values, shape)| {
        let dev = &candle_core::Device::Cpu;
        let tensor = candle_core::Tensor::from_slice(values, *shape, dev).unwrap();
        ((*name).to_owned(), tensor)
    });
    let tensors: std::collections::HashMap<_, _> = tensors.collect();
    candle_core::safetensors::save(&tensors, path).unwrap();
}
