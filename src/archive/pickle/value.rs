//! The values that a pickle can hold here.

use crate::archive::element::Layout;

/// Where a value is in a pickle. Values refer to each other by number, so that no file can make
/// a value that is too deep to be dropped, or that holds itself.
pub(in crate::archive) type Id = usize;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::archive) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes,
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// `module.name`, not imported.
    Global(String),
    Storage(Storage),
    Tensor {
        storage: Storage,
        layout: Layout,
    },
    /// An object of a class that is not known here.
    Object(String),
}

/// The numbers of one or several tensors.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::archive) struct Storage {
    /// Its class, for example "torch.FloatStorage".
    pub(in crate::archive) class: String,
    /// The name of its file within the archive.
    pub(in crate::archive) key: String,
    /// Numbers in it.
    pub(in crate::archive) len: usize,
}

impl Value {
    /// What it is, in a few words.
    pub(in crate::archive) fn describe(&self) -> String {
        match self {
            Self::None => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(n) => format!("the number {n}"),
            Self::Float(x) => format!("the number {x}"),
            Self::Text(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
            Self::Bytes => "bytes".to_owned(),
            Self::Tuple(items) => format!("a tuple of {}", items.len()),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Dict(items) => format!("a dict of {}", items.len()),
            Self::Global(name) => format!("the class or function {name}"),
            Self::Storage(_) => "a storage".to_owned(),
            Self::Tensor { .. } => "a tensor".to_owned(),
            Self::Object(class) => format!("an object of {class}"),
        }
    }
}
