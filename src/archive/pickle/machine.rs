//! The machine that runs a pickle's instructions.

use super::bytes::{Bytes, Step};
use super::value::{Id, Storage, Value};
use crate::archive::element::Layout;
use std::collections::HashMap;

/// Runs a pickle's instructions to their end: all values, and which of them is the root.
///
/// # Errors
/// The first thing that is not understood, and at which byte.
pub(super) fn run(bytes: &[u8]) -> Step<(Vec<Value>, Id)> {
    let mut machine = Machine {
        bytes: Bytes::new(bytes),
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let at = machine.bytes.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok((machine.values, root)),
            Err(reason) => return Err(format!("byte {at} of the pickle: {reason}")),
        }
    }
}

struct Machine<'a> {
    bytes: Bytes<'a>,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Lengths of the stack where marks are.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl Machine<'_> {
    /// One instruction; the root's number at the end.
    fn step(&mut self) -> Step<Option<Id>> {
        let op = self.bytes.byte()?;
        match op {
            b'.' => return self.pop().map(Some),
            0x80 => {
                let version = self.bytes.byte()?;
                if version > 5 {
                    return Err(format!("protocol {version}, expected at most 5"));
                }
            }
            0x95 => {
                self.bytes.take(8)?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_to_mark()?;
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
            b'q' | b'h' => u64::from(self.bytes.byte()?),
            b'r' | b'j' => u64::from(self.bytes.word()?),
            0x94 => self.memo.len() as u64,
            _ => self
                .bytes
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
            b'K' => Value::Int(i64::from(self.bytes.byte()?)),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.bytes.array()?))),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.bytes.array()?))),
            b'I' => match self.bytes.line()? {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                digits => Value::Int(digits.parse().map_err(|_| "a number that is none")?),
            },
            b'G' => Value::Float(f64::from_be_bytes(self.bytes.array()?)),
            _ => {
                let length = match op {
                    0x8a => usize::from(self.bytes.byte()?),
                    _ => self.bytes.word()? as usize,
                };
                let bytes = self.bytes.take(length)?;
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
            let text = self.bytes.line()?.to_owned();
            self.push(Value::Text(text));
            return Ok(());
        }
        let length = match op {
            0x8c | b'U' | b'C' => usize::from(self.bytes.byte()?),
            b'X' | b'T' | b'B' => self.bytes.word()? as usize,
            _ => usize::try_from(u64::from_le_bytes(self.bytes.array()?))
                .map_err(|_| "a length out of range")?,
        };
        let bytes = self.bytes.take(length)?;
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
                let items = self.pop_to_mark()?;
                self.push(match op {
                    b't' => Value::Tuple(items),
                    _ => Value::List(items),
                });
            }
            b'd' => {
                let items = self.pop_to_mark()?;
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
                    _ => self.pop_to_mark()?,
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
                let name = format!("{}.{}", self.bytes.line()?, self.bytes.line()?);
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

    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or("there is no mark")?;
        if mark > self.stack.len() {
            return Err("the stack is shorter than at its mark".to_owned());
        }
        Ok(self.stack.split_off(mark))
    }
}

fn pairs(items: &[Id]) -> Step<Vec<(Id, Id)>> {
    let chunks = items.chunks_exact(2);
    match chunks.remainder() {
        [] => Ok(chunks.map(|pair| (pair[0], pair[1])).collect()),
        _ => Err("a key without a value".to_owned()),
    }
}
