//! The stack machine: executes and checks one instruction after another.

use super::loaded::Loaded;
use super::value::{Array, Global, Heap, Type, Value};
use std::collections::HashMap;
use std::ops::Range;

/// Limits of the memory that a file can make us use in addition to its own bytes. The largest official batches, with
/// 128,117 labels each or 50,000 file names, need far less.
const MOST_STACK: usize = 1 << 20;
const MOST_MEMO: usize = 1 << 20;
const MOST_ELEMENTS: usize = 1 << 23;
/// Largest length of a line in protocol 0.
const MOST_LINE: usize = 1 << 20;

/// The state of the machine between two instructions.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    /// For each mark, the height of the stack below it.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    /// Number of elements of all lists and dictionaries so far.
    elements: usize,
    /// Number of bytes of all decoded texts.
    unpacked: usize,
    heap: Heap,
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (stack, marks, memo) = (Vec::new(), Vec::new(), HashMap::new());
        Machine { bytes, at: 0, stack, marks, memo, elements: 0, unpacked: 0, heap: Heap::default() }
    }

    /// Runs up to the instruction that ends a pickle.
    pub(super) fn run(mut self) -> Result<Loaded<'a>, String> {
        loop {
            let (place, code) = (self.at, self.byte()?);
            if code == b'.' {
                let root = self.pop()?;
                return Ok(Loaded { bytes: self.bytes, heap: self.heap, root });
            }
            self.instruction(code).map_err(|reason| format!("byte {place}: {reason}"))?;
            if self.stack.len() > MOST_STACK || self.marks.len() > MOST_STACK {
                return Err(format!("byte {place}: its stack grows beyond {MOST_STACK} values"));
            }
        }
    }

    fn instruction(&mut self, code: u8) -> Result<(), String> {
        match code {
            0x80 => self.protocol(),
            0x95 => self.take(8).map(|_| ()), // FRAME: the length of the next part
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(|_| ()),
            b'c' | 0x93 => self.global(code),
            b'R' => self.reduce(),
            b'b' => self.build(),
            b'q' | b'r' | b'p' | 0x94 => self.put(code),
            b'h' | b'j' | b'g' => self.get(code),
            b'N' | 0x88 | 0x89 | b'K' | b'M' | b'J' | b'I' | b'L' | 0x8a | b'G' | b'F' => self.number(code),
            b'U' | b'T' | b'X' | b'B' | b'C' | 0x8c | 0x8d | 0x8e => self.counted(code),
            b'S' | b'V' => self.quoted(code),
            b'}' | b'd' | b's' | b'u' => self.dictionary(code),
            b']' | b'l' | b'a' | b'e' | b')' | b't' | 0x85 | 0x86 | 0x87 => self.list(code),
            other => Err(format!(
                "the instruction {} is not one that pickles of images need; nothing is run",
                if other.is_ascii_graphic() { format!("`{}`", other as char) } else { format!("0x{other:02x}") }
            )),
        }
    }

    fn protocol(&mut self) -> Result<(), String> {
        match self.byte()? {
            0..=4 => Ok(()),
            version => Err(format!("protocol {version} is not read; save it with `protocol=2`")),
        }
    }

    // Reading.

    fn byte(&mut self) -> Result<u8, String> {
        let byte = self.bytes.get(self.at).copied().ok_or_else(|| "the pickle is cut off".to_string())?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| {
            let left = self.bytes.len() - self.at;
            format!("{count} bytes are announced and {left} are left: the pickle is cut off")
        })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A little-endian size of `bytes` bytes, at most 8.
    fn size(&mut self, bytes: usize) -> Result<usize, String> {
        let mut little = [0u8; 8];
        little[..bytes].copy_from_slice(self.take(bytes)?);
        usize::try_from(u64::from_le_bytes(little)).map_err(|_| "a size is too large".to_string())
    }

    fn line(&mut self) -> Result<Range<usize>, String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().take(MOST_LINE).position(|&b| b == b'\n');
        let end = self.at + end.ok_or_else(|| "a line does not end".to_string())?;
        let line = self.at..end;
        self.at = end + 1;
        Ok(line)
    }

    // The stack.

    fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    /// Pops the topmost value above the last mark.
    fn pop(&mut self) -> Result<Value, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > floor {
            true => self.stack.pop().ok_or_else(empty),
            false => Err(empty()),
        }
    }

    /// Pops everything above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.marks.pop().ok_or_else(|| "a mark is missing".to_string())?;
        match mark <= self.stack.len() {
            true => Ok(self.stack.split_off(mark)),
            false => Err(empty()),
        }
    }

    fn count_elements(&mut self, more: usize) -> Result<(), String> {
        self.elements = self.elements.saturating_add(more);
        match self.elements <= MOST_ELEMENTS {
            true => Ok(()),
            false => Err(format!("it has more than {MOST_ELEMENTS} elements")),
        }
    }

    // Instructions.

    fn put(&mut self, code: u8) -> Result<(), String> {
        let key = self.memo_key(code)?;
        let value = self.stack.last().cloned().ok_or_else(empty)?;
        self.memo.insert(key, value);
        match self.memo.len() <= MOST_MEMO {
            true => Ok(()),
            false => Err(format!("it stores more than {MOST_MEMO} values")),
        }
    }

    fn get(&mut self, code: u8) -> Result<(), String> {
        let key = self.memo_key(code)?;
        let value =
            self.memo.get(&key).cloned().ok_or_else(|| format!("it asks for value {key}, which was never stored"))?;
        self.push(value);
        Ok(())
    }

    fn memo_key(&mut self, code: u8) -> Result<u32, String> {
        let key = match code {
            b'q' | b'h' => usize::from(self.byte()?),
            b'r' | b'j' => self.size(4)?,
            0x94 => self.memo.len(),
            _ => {
                let line = self.line()?;
                decimal(&self.bytes[line])
                    .and_then(|n| usize::try_from(n).ok())
                    .ok_or("an index of the memo is not a number")?
            }
        };
        u32::try_from(key).map_err(|_| "an index of the memo is too large".to_string())
    }

    fn number(&mut self, code: u8) -> Result<(), String> {
        let value = match code {
            b'N' => Value::None,
            0x88 => Value::Integer(1),
            0x89 => Value::Integer(0),
            b'K' => Value::Integer(i64::from(self.byte()?)),
            b'M' => Value::Integer(i64::try_from(self.size(2)?).unwrap_or(0)),
            // Fractions (`G`, `F`) are skipped: no array of images needs them.
            b'J' => {
                let bytes = self.take(4)?;
                Value::Integer(<[u8; 4]>::try_from(bytes).map_or(0, |b| i64::from(i32::from_le_bytes(b))))
            }
            b'G' => {
                self.take(8)?;
                Value::None
            }
            b'F' => {
                self.line()?;
                Value::None
            }
            0x8a => {
                let length = usize::from(self.byte()?);
                let bytes = self.take(length)?;
                Value::Integer(long(bytes)?)
            }
            _ => {
                let line = self.line()?;
                let text = &self.bytes[line];
                let text = text.strip_suffix(b"L").unwrap_or(text);
                Value::Integer(decimal(text).ok_or("a number is malformed")?)
            }
        };
        self.push(value);
        Ok(())
    }

    /// Texts and bytes with an explicit length.
    fn counted(&mut self, code: u8) -> Result<(), String> {
        let length = match code {
            b'U' | b'C' | 0x8c => self.size(1)?,
            b'T' | b'X' | b'B' => self.size(4)?,
            _ => self.size(8)?,
        };
        self.take(length)?;
        self.push(Value::Slice(self.at - length..self.at));
        Ok(())
    }

    /// Texts of protocol 0.
    fn quoted(&mut self, code: u8) -> Result<(), String> {
        let line = self.line()?;
        let text = &self.bytes[line.clone()];
        let inner = match (code, text) {
            (b'V', _) => line,
            (_, [b'\'', .., b'\''] | [b'"', .., b'"']) if text.len() >= 2 => line.start + 1..line.end - 1,
            _ => return Err("a text without quotes".to_string()),
        };
        if self.bytes[inner.clone()].contains(&b'\\') {
            return Err("a text with escapes, which no batch of images has".to_string());
        }
        self.push(Value::Slice(inner));
        Ok(())
    }

    fn dictionary(&mut self, code: u8) -> Result<(), String> {
        match code {
            b'}' => {
                self.heap.dictionaries.push(Vec::new());
                self.push(Value::Dictionary(self.heap.dictionaries.len() - 1));
                self.count_elements(1)
            }
            b'd' => {
                let values = self.pop_mark()?;
                self.count_elements(values.len() + 1)?;
                self.heap.dictionaries.push(pairs(values)?);
                self.push(Value::Dictionary(self.heap.dictionaries.len() - 1));
                Ok(())
            }
            _ => {
                let values = if code == b's' {
                    let (value, key) = (self.pop()?, self.pop()?);
                    vec![key, value]
                } else {
                    self.pop_mark()?
                };
                self.count_elements(values.len())?;
                // The dictionary stays on the stack; only its entries are popped.
                let Some(Value::Dictionary(place)) = self.stack.last() else { return Err("no dictionary".to_string()) };
                let found = self.heap.dictionaries.get_mut(*place).ok_or("no dictionary")?;
                found.extend(pairs(values)?);
                Ok(())
            }
        }
    }

    fn list(&mut self, code: u8) -> Result<(), String> {
        let values = match code {
            b']' | b')' => Vec::new(),
            b'l' | b't' => self.pop_mark()?,
            0x85..=0x87 => {
                let mut values = (0..code - 0x84).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                values.reverse();
                values
            }
            _ => return self.append(code),
        };
        self.count_elements(values.len() + 1)?;
        self.heap.lists.push(values);
        self.push(Value::List(self.heap.lists.len() - 1));
        Ok(())
    }

    fn append(&mut self, code: u8) -> Result<(), String> {
        let values = if code == b'a' { vec![self.pop()?] } else { self.pop_mark()? };
        self.count_elements(values.len())?;
        let Some(Value::List(place)) = self.stack.last() else { return Err("no list to append to".to_string()) };
        self.heap.lists.get_mut(*place).ok_or("no list to append to")?.extend(values);
        Ok(())
    }

    /// A name, which is allowed or refused.
    fn global(&mut self, code: u8) -> Result<(), String> {
        let (module, name) = if code == b'c' {
            let (module, name) = (self.line()?, self.line()?);
            (self.bytes[module].to_vec(), self.bytes[name].to_vec())
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            (self.text(&module)?.to_vec(), self.text(&name)?.to_vec())
        };
        let Some(global) = Global::named(&module, &name) else {
            let shown = |text: &[u8]| String::from_utf8_lossy(text).chars().take(60).collect::<String>();
            return Err(format!(
                "it names `{}.{}`, which is not allowed: a pickle could run code",
                shown(&module),
                shown(&name)
            ));
        };
        self.push(Value::Global(global));
        Ok(())
    }

    fn text(&self, value: &Value) -> Result<&[u8], String> {
        match value {
            Value::Slice(range) => self.bytes.get(range.clone()).ok_or_else(empty),
            Value::Owned(owned) => self.heap.owned.get(*owned).map(Vec::as_slice).ok_or_else(empty),
            _ => Err("a text is needed".to_string()),
        }
    }

    fn arguments(&self, value: &Value) -> Result<Vec<Value>, String> {
        match value {
            Value::List(list) => match self.heap.lists.get(*list) {
                Some(list) if list.len() <= 16 => Ok(list.clone()),
                _ => Err("too many arguments".to_string()),
            },
            _ => Err("arguments are not a tuple".to_string()),
        }
    }

    /// The result of calling an allowed name.
    fn reduce(&mut self) -> Result<(), String> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let arguments = self.arguments(&arguments)?;
        let value = match (callee, arguments.as_slice()) {
            (Value::Global(Global::Reconstruct), [Value::Global(Global::Array), ..]) => {
                self.heap.arrays.push(Array::default());
                Value::Array(self.heap.arrays.len() - 1)
            }
            (Value::Global(Global::Type), [kind, ..]) => {
                let kind = String::from_utf8_lossy(self.text(kind)?).chars().take(16).collect();
                self.heap.types.push(Type { kind, big_endian: false });
                Value::Type(self.heap.types.len() - 1)
            }
            // The text can be larger than the file only if it is decoded repeatedly, so the sum is limited by the
            // file's size.
            (Value::Global(Global::Encode), [text, ..]) => {
                let text = std::str::from_utf8(self.text(text)?).map_err(|_| "bytes in an unknown form".to_string())?;
                let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                let bytes = bytes.ok_or("bytes in an unknown form")?;
                self.unpacked = self.unpacked.saturating_add(bytes.len());
                if self.unpacked > self.bytes.len() {
                    return Err("it unpacks to more bytes than it has".to_string());
                }
                self.heap.owned.push(bytes);
                Value::Owned(self.heap.owned.len() - 1)
            }
            _ => return Err("it calls something that does not make an array".to_string()),
        };
        self.count_elements(1)?;
        self.push(value);
        Ok(())
    }

    /// Sets the state of an array or a type.
    fn build(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        let state = self.arguments(&state)?;
        match (self.stack.last().cloned(), state.as_slice()) {
            (Some(Value::Type(place)), [_, order, ..]) => {
                let big_endian = self.text(order)?.first() == Some(&b'>');
                self.heap.types.get_mut(place).ok_or_else(empty)?.big_endian = big_endian;
                Ok(())
            }
            // The array gets its shape, type and bytes only here. Until then it is empty.
            (Some(Value::Array(place)), [_, shape, Value::Type(kind), fortran, data]) => {
                let shape = self.arguments(shape)?;
                let size = |value: &Value| match value {
                    Value::Integer(n) => usize::try_from(*n).map_err(|_| "an axis of negative size".to_string()),
                    _ => Err("a shape that is not made of numbers".to_string()),
                };
                let shape = shape.iter().map(size).collect::<Result<Vec<_>, _>>()?;
                let kind = self.heap.types.get(*kind).cloned().unwrap_or_default();
                let array = self.heap.arrays.get_mut(place).ok_or_else(empty)?;
                let (data, fortran) = (Some(data.clone()), *fortran == Value::Integer(1));
                *array = Array { shape, kind: kind.kind, data, fortran, big_endian: kind.big_endian };
                Ok(())
            }
            _ => Err("a state that does not fit an array".to_string()),
        }
    }
}

fn pairs(values: Vec<Value>) -> Result<Vec<(Value, Value)>, String> {
    if !values.len().is_multiple_of(2) {
        return Err("a key without a value".to_string());
    }
    let mut values = values.into_iter();
    let mut pairs = Vec::with_capacity(values.len() / 2);
    while let (Some(key), Some(value)) = (values.next(), values.next()) {
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn decimal(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// A little-endian integer in two's complement.
fn long(bytes: &[u8]) -> Result<i64, String> {
    if bytes.len() > 8 {
        return Err("an integer beyond 64 bits".to_string());
    }
    let fill = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xFF } else { 0 };
    let mut full = [fill; 8];
    full[..bytes.len()].copy_from_slice(bytes);
    Ok(i64::from_le_bytes(full))
}

fn empty() -> String {
    "it takes a value from an empty stack".to_string()
}
