//! How values of the standard library's types are constructed, by type name.

/// How a type is constructed from a text literal.
#[derive(Debug, PartialEq)]
pub struct Text {
    pub name: &'static str,
    pub path: &'static str,
    pub before: &'static str,
    pub after: &'static str,
}

/// How a type is constructed from a list.
#[derive(Debug, PartialEq)]
pub struct List {
    pub name: &'static str,
    pub path: &'static str,
}

#[derive(Debug, PartialEq)]
pub struct Wrapper {
    pub name: &'static str,
    pub path: &'static str,
    /// Whether its `new` may be called in a constant.
    pub constant: bool,
    /// The inner type, where the name already determines it.
    pub holds: Option<&'static str>,
}

const fn text(
    name: &'static str,
    path: &'static str,
    before: &'static str,
    after: &'static str,
) -> Text {
    Text {
        name,
        path,
        before,
        after,
    }
}

pub static TEXTS: [Text; 9] = [
    text("String", "String", "", ".to_string()"),
    text(
        "PathBuf",
        "std::path::PathBuf",
        "std::path::PathBuf::from(",
        ")",
    ),
    text(
        "&Path",
        "&'static std::path::Path",
        "std::path::Path::new(",
        ")",
    ),
    text(
        "OsString",
        "std::ffi::OsString",
        "std::ffi::OsString::from(",
        ")",
    ),
    text("Box<str>", "Box<str>", "Box::<str>::from(", ")"),
    text(
        "Rc<str>",
        "std::rc::Rc<str>",
        "std::rc::Rc::<str>::from(",
        ")",
    ),
    text(
        "Arc<str>",
        "std::sync::Arc<str>",
        "std::sync::Arc::<str>::from(",
        ")",
    ),
    text(
        "Cow<str>",
        "std::borrow::Cow<'static, str>",
        "std::borrow::Cow::Borrowed(",
        ")",
    ),
    text(
        "&OsStr",
        "&'static std::ffi::OsStr",
        "std::ffi::OsStr::new(",
        ")",
    ),
];

pub static VEC: List = List {
    name: "Vec",
    path: "Vec",
};
pub static LISTS: [List; 4] = [
    List {
        name: "VecDeque",
        path: "std::collections::VecDeque",
    },
    List {
        name: "HashSet",
        path: "std::collections::HashSet",
    },
    List {
        name: "BTreeSet",
        path: "std::collections::BTreeSet",
    },
    List {
        name: "BinaryHeap",
        path: "std::collections::BinaryHeap",
    },
];
pub static MAPS: [List; 2] = [
    List {
        name: "HashMap",
        path: "std::collections::HashMap",
    },
    List {
        name: "BTreeMap",
        path: "std::collections::BTreeMap",
    },
];

const fn around(name: &'static str, path: &'static str, constant: bool) -> Wrapper {
    Wrapper {
        name,
        path,
        constant,
        holds: None,
    }
}

const fn atomic(name: &'static str, path: &'static str, holds: &'static str) -> Wrapper {
    Wrapper {
        name,
        path,
        constant: true,
        holds: Some(holds),
    }
}

pub static WRAPPERS: [Wrapper; 14] = [
    around("Box", "Box", false),
    around("Rc", "std::rc::Rc", false),
    around("Arc", "std::sync::Arc", false),
    around("Cell", "std::cell::Cell", true),
    around("RefCell", "std::cell::RefCell", true),
    around("Mutex", "std::sync::Mutex", true),
    around("RwLock", "std::sync::RwLock", true),
    atomic("AtomicBool", "std::sync::atomic::AtomicBool", "bool"),
    atomic("AtomicUsize", "std::sync::atomic::AtomicUsize", "usize"),
    atomic("AtomicIsize", "std::sync::atomic::AtomicIsize", "isize"),
    atomic("AtomicU32", "std::sync::atomic::AtomicU32", "u32"),
    atomic("AtomicI32", "std::sync::atomic::AtomicI32", "i32"),
    atomic("AtomicU64", "std::sync::atomic::AtomicU64", "u64"),
    atomic("AtomicI64", "std::sync::atomic::AtomicI64", "i64"),
];
