//! Lookups in a pickle that was read.

use super::value::{Array, Heap, Value};
use std::borrow::Cow;

/// The value of a pickle, which should be a dictionary.
#[derive(Debug)]
pub(in super::super) struct Loaded<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) heap: Heap,
    pub(super) root: Value,
}

impl Loaded<'_> {
    /// Shape and bytes of an array of bytes.
    pub(in super::super) fn bytes_array(&self, key: &str) -> Result<(&[usize], &[u8]), String> {
        let Value::Array(array) = self.get(key)? else { return Err(format!("`{key}` is not a NumPy array")) };
        let array = self.array(*array, key)?;
        if array.kind != "u1" {
            return Err(format!("`{key}` holds numbers of type `{}`, not bytes (`u1`)", array.kind));
        }
        Ok((&array.shape, self.data(array, 1, key)?))
    }

    /// Integers from a list or an array.
    pub(in super::super) fn integers(&self, key: &str) -> Result<Vec<i64>, String> {
        match self.get(key)? {
            Value::List(list) => self.list(*list).iter().map(|value| integer(value, key)).collect(),
            Value::Array(array) => {
                let array = self.array(*array, key)?;
                let (bytes, signed) = match array.kind.as_str() {
                    "u1" => (1, false),
                    "i1" => (1, true),
                    "i2" => (2, true),
                    "u2" => (2, false),
                    "i4" => (4, true),
                    "u4" => (4, false),
                    "i8" => (8, true),
                    other => return Err(format!("`{key}` holds numbers of type `{other}`, not integers")),
                };
                let data = self.data(array, bytes, key)?;
                Ok(data.chunks_exact(bytes).map(|item| whole(item, signed, array.big_endian)).collect())
            }
            _ => Err(format!("`{key}` is not a list of numbers")),
        }
    }

    /// A list of texts.
    pub(in super::super) fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        let Value::List(list) = self.get(key)? else { return Err(format!("`{key}` is not a list of texts")) };
        let text = |value: &Value| self.text(value).map(|t| String::from_utf8_lossy(&t).into_owned());
        self.list(*list)
            .iter()
            .map(|value| text(value).ok_or_else(|| format!("`{key}` is not a list of texts")))
            .collect()
    }

    fn get(&self, key: &str) -> Result<&Value, String> {
        let Value::Dictionary(root) = &self.root else { return Err("it contains no dictionary".to_string()) };
        let pairs = self.heap.dictionaries.get(*root).map_or(&[][..], Vec::as_slice);
        // Of equal keys the last one counts, as in Python.
        let found = pairs.iter().rev().find(|(name, _)| self.text(name).is_some_and(|t| *t == *key.as_bytes()));
        found.map(|(_, value)| value).ok_or_else(|| {
            let shown =
                |value: &Value| self.text(value).map(|t| String::from_utf8_lossy(&t).chars().take(40).collect());
            let known: Vec<String> = pairs.iter().take(8).filter_map(|(name, _)| shown(name)).collect();
            format!("it has no `{key}`, only {}", known.join(", "))
        })
    }

    fn list(&self, list: usize) -> &[Value] {
        self.heap.lists.get(list).map_or(&[], Vec::as_slice)
    }

    fn array(&self, array: usize, key: &str) -> Result<&Array, String> {
        self.heap.arrays.get(array).filter(|a| a.data.is_some()).ok_or_else(|| format!("the array `{key}` has no data"))
    }

    /// The bytes of an array with items of `bytes` bytes, as many as its shape requires.
    fn data<'s>(&'s self, array: &'s Array, bytes: usize, key: &str) -> Result<&'s [u8], String> {
        let wanted = array.shape.iter().try_fold(bytes, |n, &size| n.checked_mul(size));
        let data = match &array.data {
            Some(Value::Slice(range)) => self.bytes.get(range.clone()).unwrap_or_default(),
            Some(Value::Owned(owned)) => self.heap.owned.get(*owned).map_or(&[][..], Vec::as_slice),
            _ => return Err(format!("the array `{key}` has no data")),
        };
        if array.fortran && array.shape.len() > 1 {
            return Err(format!("the array `{key}` is stored column by column: save `numpy.ascontiguousarray(x)`"));
        }
        match wanted == Some(data.len()) {
            true => Ok(data),
            false => Err(format!("the array `{key}` of shape {:?} comes with {} bytes", array.shape, data.len())),
        }
    }

    fn text(&self, value: &Value) -> Option<Cow<'_, [u8]>> {
        match value {
            Value::Slice(range) => self.bytes.get(range.clone()).map(Cow::Borrowed),
            Value::Owned(owned) => self.heap.owned.get(*owned).map(|text| Cow::Borrowed(text.as_slice())),
            _ => None,
        }
    }
}

fn integer(value: &Value, key: &str) -> Result<i64, String> {
    match value {
        Value::Integer(n) => Ok(*n),
        _ => Err(format!("`{key}` contains something that is not an integer")),
    }
}

/// An integer of one to eight bytes.
fn whole(item: &[u8], signed: bool, big_endian: bool) -> i64 {
    let mut bytes: Vec<u8> = item.to_vec();
    if big_endian {
        bytes.reverse();
    }
    let fill = if signed && bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xFF } else { 0 };
    bytes.resize(8, fill);
    <[u8; 8]>::try_from(bytes.as_slice()).map_or(0, i64::from_le_bytes)
}
