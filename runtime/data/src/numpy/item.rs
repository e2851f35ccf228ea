//! Converts the bytes of one array element to a number, for each of NumPy's real types.

use super::refused::Refused;

/// The representation of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    big_endian: bool,
    kind: NumberKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberKind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

/// A number as the label of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Label {
    /// An integer, in any representation.
    Whole(i128),
    /// Anything else, as text.
    Other(String),
}

impl Item {
    /// From NumPy's name of a type, such as `<f8`.
    pub(super) fn parse(text: &str) -> Result<Self, Refused> {
        let kind = match text.get(1..) {
            Some("b1") => NumberKind::Bool,
            Some("i1") => NumberKind::I8,
            Some("i2") => NumberKind::I16,
            Some("i4") => NumberKind::I32,
            Some("i8") => NumberKind::I64,
            Some("u1") => NumberKind::U8,
            Some("u2") => NumberKind::U16,
            Some("u4") => NumberKind::U32,
            Some("u8") => NumberKind::U64,
            Some("f2") => NumberKind::F16,
            Some("f4") => NumberKind::F32,
            Some("f8") => NumberKind::F64,
            _ => return Err(refused(text)),
        };
        match text.chars().next() {
            Some('<' | '|' | '=') => Ok(Item { big_endian: false, kind }),
            Some('>') => Ok(Item { big_endian: true, kind }),
            _ => Err(refused(text)),
        }
    }

    /// True for integers from 0 to 255 in one byte.
    pub(super) fn is_byte(self) -> bool {
        self.kind == NumberKind::U8
    }

    /// Number of bytes, 1 to 8.
    pub(super) fn bytes(self) -> usize {
        match self.kind {
            NumberKind::Bool | NumberKind::I8 | NumberKind::U8 => 1,
            NumberKind::I16 | NumberKind::U16 | NumberKind::F16 => 2,
            NumberKind::I32 | NumberKind::U32 | NumberKind::F32 => 4,
            NumberKind::I64 | NumberKind::U64 | NumberKind::F64 => 8,
        }
    }

    /// The number in `bytes`. Integers beyond 2^53 are rounded.
    pub(super) fn number(self, bytes: &[u8]) -> f64 {
        let little = self.little(bytes);
        let [a, b, c, d, ..] = little;
        match self.kind {
            NumberKind::Bool => f64::from(u8::from(a != 0)),
            NumberKind::I8 => f64::from(i8::from_le_bytes([a])),
            NumberKind::I16 => f64::from(i16::from_le_bytes([a, b])),
            NumberKind::I32 => f64::from(i32::from_le_bytes([a, b, c, d])),
            NumberKind::I64 => i64::from_le_bytes(little) as f64,
            NumberKind::U8 => f64::from(a),
            NumberKind::U16 => f64::from(u16::from_le_bytes([a, b])),
            NumberKind::U32 => f64::from(u32::from_le_bytes([a, b, c, d])),
            NumberKind::U64 => u64::from_le_bytes(little) as f64,
            NumberKind::F16 => half(u16::from_le_bytes([a, b])),
            NumberKind::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            NumberKind::F64 => f64::from_le_bytes(little),
        }
    }

    /// The number in `bytes` as the label of a class, without rounding.
    pub(super) fn label(self, bytes: &[u8]) -> Label {
        let little = self.little(bytes);
        match self.kind {
            NumberKind::I64 => Label::Whole(i64::from_le_bytes(little).into()),
            NumberKind::U64 => Label::Whole(u64::from_le_bytes(little).into()),
            _ => {
                let number = self.number(bytes);
                #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^100")]
                let whole = number as i128;
                match number.fract() == 0.0 && number.abs() < 1e30 {
                    true => Label::Whole(whole),
                    false => Label::Other(self.shown(number)),
                }
            }
        }
    }

    /// The shortest text of a number. An f32 needs fewer digits than an f64.
    #[expect(clippy::cast_possible_truncation, reason = "it was a single precision number")]
    fn shown(self, number: f64) -> String {
        match self.kind {
            NumberKind::F16 | NumberKind::F32 => (number as f32).to_string(),
            _ => number.to_string(),
        }
    }

    fn little(self, bytes: &[u8]) -> [u8; 8] {
        let mut little = [0u8; 8];
        little[..bytes.len()].copy_from_slice(bytes);
        if self.big_endian {
            little[..bytes.len()].reverse();
        }
        little
    }
}

/// A half-precision number: a sign bit, five bits of exponent and ten of fraction.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (bits >> 10 & 31, f64::from(bits & 1023) / 1024.0);
    sign * match exponent {
        0 => fraction / 16384.0, // 2^14
        31 if fraction > 0.0 => f64::NAN,
        31 => f64::INFINITY,
        _ => (1.0 + fraction) * f64::from(1u32 << exponent) / 32768.0, // 2^15
    }
}

/// Why a type that holds no real numbers is refused, and how to convert it.
fn refused(text: &str) -> Refused {
    let (reason, help) = match text.get(1..).unwrap_or_default() {
        rest if text.starts_with('O') || rest.starts_with('O') => (
            "it holds Python objects (a pickle), which are never read".to_string(),
            "save numbers: `numpy.save(\"x.npy\", x.astype(\"float64\"))`",
        ),
        rest if rest.starts_with(['U', 'S']) => {
            ("it holds texts".to_string(), "number them: `numpy.unique(y, return_inverse=True)[1]`")
        }
        rest if rest.starts_with('c') => (
            format!("it holds complex numbers (`{text}`)"),
            "save real parts and imaginary parts as columns of their own",
        ),
        rest if rest.starts_with(['M', 'm']) => {
            (format!("it holds dates or times (`{text}`)"), "save numbers, such as days: `x.astype(\"int64\")`")
        }
        _ => (format!("numbers of type `{text}` are not read"), "save them as `x.astype(\"float64\")`"),
    };
    Refused::with_help(reason, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> Item {
        Item::parse(text).unwrap_or_else(|_| panic!("{text} is a type"))
    }

    #[test]
    fn half_precision_is_what_numpy_makes_of_it() {
        // numpy.array([...], dtype="float16").view("uint16")
        let known: [(u16, f64); 8] = [
            (0x3C00, 1.0),
            (0xC100, -2.5),
            (0x2E66, 0.0999755859375),
            (0x7BFF, 65504.0),
            (0x0001, 5.960464477539063e-8),
            (0x0000, 0.0),
            (0x0400, 6.103515625e-5),
            (0xFC00, f64::NEG_INFINITY),
        ];
        for (bits, value) in known {
            assert_eq!(item("<f2").number(&bits.to_le_bytes()), value, "{bits:#x}");
            assert_eq!(item(">f2").number(&bits.to_be_bytes()), value, "{bits:#x}");
        }
        assert!(item("<f2").number(&0x7E00u16.to_le_bytes()).is_nan());
    }

    #[test]
    fn labels_are_never_rounded() {
        let big = (1u64 << 63) + 1;
        assert_eq!(item("<u8").label(&big.to_le_bytes()), Label::Whole(9_223_372_036_854_775_809));
        let odd = (1i64 << 53) + 1;
        assert_eq!(item(">i8").label(&odd.to_be_bytes()), Label::Whole(9_007_199_254_740_993));
        assert_eq!(item("<f8").label(&(-0.0f64).to_le_bytes()), Label::Whole(0));
        assert_eq!(item("<f4").label(&0.1f32.to_le_bytes()), Label::Other("0.1".to_string()));
        assert_eq!(item("|b1").label(&[1]), Label::Whole(1));
    }
}
