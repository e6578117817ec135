//! A pickle as plain data. Nothing is imported and nothing is called.
//!
//! The machine keeps a stack and a memo, as Python's does, and knows what `torch.save` writes:
//! containers, numbers, texts, storages, tensors and `OrderedDict`. Any other object becomes a value
//! that only says of which class it is. Source: CPython's `pickletools`, protocols 2 to 5.

use super::element::Layout;
use std::collections::HashMap;

/// Where a value is in a [`Pickle`]. Values refer to each other by number, so that no file can make
/// a value that is too deep to be dropped, or that holds itself.
pub(super) type Id = usize;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
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
pub(super) struct Storage {
    /// Its class, for example "torch.FloatStorage".
    pub(super) class: String,
    /// The name of its file within the archive.
    pub(super) key: String,
    /// Numbers in it.
    pub(super) len: usize,
}

/// A pickle that has been read.
#[derive(Debug)]
pub(super) struct Pickle {
    values: Vec<Value>,
    root: Id,
}

impl Pickle {
    /// Reads a pickle.
    ///
    /// # Errors
    /// The first thing that is not understood, and at which byte.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut machine = Machine {
            bytes,
            at: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        loop {
            let at = machine.at;
            match machine.step() {
                Ok(None) => {}
                Ok(Some(root)) => {
                    return Ok(Self {
                        values: machine.values,
                        root,
                    });
                }
                Err(reason) => return Err(format!("byte {at} of the pickle: {reason}")),
            }
        }
    }

    pub(super) fn root(&self) -> &Value {
        self.get(self.root)
    }

    pub(super) fn get(&self, id: Id) -> &Value {
        &self.values[id]
    }
}

impl Value {
    /// What it is, in a few words.
    pub(super) fn describe(&self) -> String {
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

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Lengths of the stack where marks are.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

type Step<T = ()> = Result<T, String>;

impl<'a> Machine<'a> {
    /// One instruction; the root's number at the end.
    fn step(&mut self) -> Step<Option<Id>> {
        let op = self.byte()?;
        match op {
            b'.' => return self.pop().map(Some),
            0x80 => {
                let version = self.byte()?;
                if version > 5 {
                    return Err(format!("protocol {version}, expected at most 5"));
                }
            }
            0x95 => {
                self.take(8)?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.to_mark()?;
            }
            b'2' => {
                let top = *self.stack.last().ok_or("the stack is empty")?;
                self.stack.push(top);
            }
            b'q' | b'r' | b'p' | 0x94 | b'h' | b'j' | b'g' => self.memorise(op)?,
            b'N' | 0x88 | 0x89 | b'K' | b'M' | b'J' | b'I' | 0x8a | 0x8b | b'G' => {
                self.number(op)?
            }
            b'X' | 0x8c | 0x8d | b'U' | b'T' | b'V' | b'B' | b'C' | 0x8e => self.text(op)?,
            b'}' | b']' | b')' | b't' | 0x85..=0x87 | b'l' | b'd' | b'a' | b'e' | b's' | b'u' => {
                self.container(op)?;
            }
            b'c' | 0x93 | b'Q' | b'R' | b'b' | 0x81 | 0x92 => self.object(op)?,
            other => {
                return Err(format!(
                    "instruction {:?} (0x{other:02x}), which no state dict needs",
                    char::from(other)
                ));
            }
        }
        Ok(None)
    }

    fn memorise(&mut self, op: u8) -> Step {
        let key = match op {
            b'q' | b'h' => u64::from(self.byte()?),
            b'r' | b'j' => u64::from(self.word()?),
            0x94 => self.memo.len() as u64,
            _ => self
                .line()?
                .parse()
                .map_err(|_| "a memo key that is no number")?,
        };
        if matches!(op, b'h' | b'j' | b'g') {
            let id = self
                .memo
                .get(&key)
                .ok_or_else(|| format!("nothing in the memo at {key}"))?;
            self.stack.push(*id);
        } else {
            let top = *self.stack.last().ok_or("the stack is empty")?;
            self.memo.insert(key, top);
        }
        Ok(())
    }

    fn number(&mut self, op: u8) -> Step {
        let value = match op {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Int(i64::from(self.byte()?)),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            b'I' => match self.line()? {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                digits => Value::Int(digits.parse().map_err(|_| "a number that is none")?),
            },
            b'G' => Value::Float(f64::from_be_bytes(self.array()?)),
            _ => {
                let length = match op {
                    0x8a => usize::from(self.byte()?),
                    _ => self.word()? as usize,
                };
                let bytes = self.take(length)?;
                if length > 8 {
                    return Err(format!("an integer of {length} bytes"));
                }
                // Little-endian, in two's complement.
                let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
                let mut wide = [if negative { 0xff } else { 0 }; 8];
                wide[..length].copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(wide))
            }
        };
        self.push(value);
        Ok(())
    }

    fn text(&mut self, op: u8) -> Step {
        if op == b'V' {
            let text = self.line()?.to_owned();
            self.push(Value::Text(text));
            return Ok(());
        }
        let length = match op {
            0x8c | b'U' | b'C' => usize::from(self.byte()?),
            b'X' | b'T' | b'B' => self.word()? as usize,
            _ => usize::try_from(u64::from_le_bytes(self.array()?))
                .map_err(|_| "a length out of range")?,
        };
        let bytes = self.take(length)?;
        let value = match op {
            b'B' | b'C' | 0x8e => Value::Bytes,
            _ => Value::Text(
                std::str::from_utf8(bytes)
                    .map_err(|_| "a text that is not UTF-8")?
                    .to_owned(),
            ),
        };
        self.push(value);
        Ok(())
    }

    fn container(&mut self, op: u8) -> Step {
        match op {
            b'}' => self.push(Value::Dict(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b't' | b'l' => {
                let items = self.to_mark()?;
                self.push(match op {
                    b't' => Value::Tuple(items),
                    _ => Value::List(items),
                });
            }
            b'd' => {
                let items = self.to_mark()?;
                let pairs = pairs(&items)?;
                self.push(Value::Dict(pairs));
            }
            0x85..=0x87 => {
                let n = usize::from(op - 0x84);
                let from = self
                    .stack
                    .len()
                    .checked_sub(n)
                    .ok_or("the stack is too short")?;
                self.below_no_mark(from)?;
                let items = self.stack.split_off(from);
                self.push(Value::Tuple(items));
            }
            _ => {
                let items = match op {
                    b'a' => vec![self.pop()?],
                    b's' => {
                        let value = self.pop()?;
                        vec![self.pop()?, value]
                    }
                    _ => self.to_mark()?,
                };
                let top = *self.stack.last().ok_or("the stack is empty")?;
                match (&mut self.values[top], op) {
                    (Value::List(list), b'a' | b'e') => list.extend(items),
                    (Value::Dict(dict), b's' | b'u') => dict.extend(pairs(&items)?),
                    // What is put into an unknown object changes nothing of what is known of it.
                    (Value::Object(_), _) => {}
                    (other, _) => return Err(format!("items for {}", other.describe())),
                }
            }
        }
        Ok(())
    }

    fn object(&mut self, op: u8) -> Step {
        match op {
            b'c' => {
                let name = format!("{}.{}", self.line()?, self.line()?);
                self.push(Value::Global(name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) =
                    (&self.values[module], &self.values[name])
                else {
                    return Err("a class whose name is no text".to_owned());
                };
                let name = format!("{module}.{name}");
                self.push(Value::Global(name));
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(Value::Storage(storage));
            }
            b'b' => {
                // The state of an object: of an OrderedDict its `_metadata`, which names versions.
                self.pop()?;
                let top = *self.stack.last().ok_or("the stack is empty")?;
                match &self.values[top] {
                    Value::Dict(_) | Value::Object(_) => {}
                    other => return Err(format!("a state for {}", other.describe())),
                }
            }
            0x81 | b'R' => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                self.call(callee, arguments)?;
            }
            _ => {
                let (_, _, class) = (self.pop()?, self.pop()?, self.pop()?);
                let name = self.values[class].describe();
                self.push(Value::Object(name));
            }
        }
        Ok(())
    }

    /// What a call would give, where it is one that is known; the class of the object otherwise.
    fn call(&mut self, callee: Id, arguments: Id) -> Step {
        let Value::Global(name) = self.values[callee].clone() else {
            return Err(format!("a call of {}", self.values[callee].describe()));
        };
        let Value::Tuple(arguments) = self.values[arguments].clone() else {
            return Err(format!("a call of {name} without a tuple of arguments"));
        };
        match (name.as_str(), arguments.as_slice()) {
            ("torch._utils._rebuild_tensor_v2", [storage, offset, size, stride, ..]) => {
                let Value::Storage(storage) = self.values[*storage].clone() else {
                    let what = self.values[*storage].describe();
                    return Err(format!("a tensor of {what}, expected a storage"));
                };
                let layout = Layout {
                    offset: self.whole(*offset)?,
                    shape: self.whole_numbers(*size)?,
                    strides: self.whole_numbers(*stride)?,
                };
                self.push(Value::Tensor { storage, layout });
            }
            ("torch._utils._rebuild_parameter", [tensor, ..]) => self.stack.push(*tensor),
            ("collections.OrderedDict", []) => self.push(Value::Dict(Vec::new())),
            ("torch.Size", [items]) => self.stack.push(*items),
            _ => self.push(Value::Object(name)),
        }
        Ok(())
    }

    /// `('storage', class, key, location, number of elements)`.
    fn storage(&self, id: Id) -> Step<Storage> {
        let wrong = || "a persistent id that is no storage of PyTorch".to_owned();
        let Value::Tuple(parts) = &self.values[id] else {
            return Err(wrong());
        };
        let [kind, class, key, _, len] = parts.as_slice() else {
            return Err(wrong());
        };
        match (
            &self.values[*kind],
            &self.values[*class],
            &self.values[*key],
        ) {
            (Value::Text(kind), Value::Global(class), Value::Text(key)) if kind == "storage" => {
                Ok(Storage {
                    class: class.clone(),
                    key: key.clone(),
                    len: self.whole(*len)?,
                })
            }
            _ => Err(wrong()),
        }
    }

    fn whole(&self, id: Id) -> Step<usize> {
        match &self.values[id] {
            Value::Int(n) => {
                usize::try_from(*n).map_err(|_| format!("{n}, expected a number from 0 on"))
            }
            other => Err(format!("{}, expected a whole number", other.describe())),
        }
    }

    fn whole_numbers(&self, id: Id) -> Step<Vec<usize>> {
        match &self.values[id] {
            Value::Tuple(items) | Value::List(items) => {
                items.iter().map(|&id| self.whole(id)).collect()
            }
            other => Err(format!("{}, expected a tuple of numbers", other.describe())),
        }
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn pop(&mut self) -> Step<Id> {
        let from = self
            .stack
            .len()
            .checked_sub(1)
            .ok_or("the stack is empty")?;
        self.below_no_mark(from)?;
        self.stack
            .pop()
            .ok_or_else(|| "the stack is empty".to_owned())
    }

    /// An error where the values from `from` on lie partly below a mark.
    fn below_no_mark(&self, from: usize) -> Step {
        match self.marks.last() {
            Some(&mark) if mark > from => Err("a mark in the place of a value".to_owned()),
            _ => Ok(()),
        }
    }

    fn to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or("there is no mark")?;
        if mark > self.stack.len() {
            return Err("the stack is shorter than at its mark".to_owned());
        }
        Ok(self.stack.split_off(mark))
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn word(&mut self) -> Step<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn take(&mut self, n: usize) -> Step<&'a [u8]> {
        let end = self
            .at
            .checked_add(n)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("the pickle ends here")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|&b| b == b'\n')
            .ok_or("the pickle ends here")?;
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).map_err(|_| "a line that is not UTF-8".to_owned())
    }
}

fn pairs(items: &[Id]) -> Step<Vec<(Id, Id)>> {
    let chunks = items.chunks_exact(2);
    match chunks.remainder() {
        [] => Ok(chunks.map(|pair| (pair[0], pair[1])).collect()),
        _ => Err("a key without a value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn root(bytes: &[u8]) -> Result<Value, String> {
        Pickle::read(bytes).map(|pickle| pickle.root().clone())
    }

    #[test]
    fn numbers_are_those_of_python() {
        // pickle.dumps(n, 2), from CPython 3.11.
        for (bytes, n) in [
            (&b"\x80\x02K\x05."[..], 5),
            (b"\x80\x02M\x39\x30.", 12_345),
            (b"\x80\x02J\xff\xff\xff\xff.", -1),
            (b"\x80\x02\x8a\x05\x00\xf2\x05\x2a\x01.", 5_000_000_000),
            (b"\x80\x02\x8a\x05\x00\x0e\xfa\xd5\xfe.", -5_000_000_000),
            (b"\x80\x02\x8a\x00.", 0),
        ] {
            assert_eq!(root(bytes), Ok(Value::Int(n)), "{n}");
        }
        assert_eq!(
            root(b"\x80\x02G\x3f\xf8\x00\x00\x00\x00\x00\x00."),
            Ok(Value::Float(1.5))
        );
        assert!(
            root(b"\x80\x02\x8a\x09123456789.")
                .unwrap_err()
                .contains("9 bytes")
        );
    }

    #[test]
    fn nothing_is_called() {
        // pickle.dumps of an object whose __reduce__ is (os.system, ("touch x",)).
        let evil = b"\x80\x02cposix\nsystem\nq\x00X\x07\x00\x00\x00touch xq\x01\x85q\x02Rq\x03.";
        assert_eq!(root(evil), Ok(Value::Object("posix.system".to_owned())));
        // INST and OBJ, which call as well, are not even read.
        assert!(
            root(b"(S'x'\nios\nsystem\n.")
                .unwrap_err()
                .contains("byte 1")
        );
    }

    #[test]
    fn a_list_that_holds_itself_is_read_and_dropped() {
        let pickle = Pickle::read(b"\x80\x02]q\x00h\x00a.").unwrap();
        assert_eq!(pickle.root(), &Value::List(vec![0]));
    }

    #[test]
    fn a_stack_that_is_too_short_is_an_error() {
        for bytes in [
            &b"."[..],
            b"\x85.",
            b"\x87.",
            b"K\x01\x86.",
            b"a.",
            b"]a.",
            b"}s.",
            b"u.",
            b"t.",
            b"R.",
            b"b.",
            b"Q.",
            b"\x93.",
            b"h\x05.",
            b"q\x00.",
            b"2.",
            b"(.",
            b"K\x01(a.",
            b"}(K\x01u.",
            b"\x81.",
            b"\x92.",
            b"(K\x01K\x02K\x03t1.",
            b"(K\x01\x86.",
            b"K\x01(R.",
        ] {
            assert!(Pickle::read(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Pickle::read(&bytes);
        }

        /// Instructions alone, so that more of them are reached.
        #[test]
        fn no_instructions_make_it_panic(
            bytes in proptest::collection::vec(proptest::sample::select(b"(tle}])aNK\x85\x86\x87su12q\x00h\x00Rb.\x88".to_vec()), 0..60)
        ) {
            let _ = Pickle::read(&bytes);
        }
    }
}
