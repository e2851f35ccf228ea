//! Numbers in JSON files that must be read back as the same bits. Each number is a string that holds the shortest
//! decimal text with this property.
//!
//! A JSON number is not enough: it cannot be infinite or NaN, and some readers are off by one unit in the last place.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number that is read back with the same bits, NaN and infinities included.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Exact).map_err(|_| serde::de::Error::custom(format!("`{text}` is not a number")))
    }
}

#[cfg(test)]
mod tests {
    use super::Exact;

    #[test]
    fn numbers_come_back_bit_for_bit() {
        for number in [0.1, -0.0, 1e-310, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2] {
            let text = serde_json::to_string(&Exact(number)).unwrap();
            assert_eq!(serde_json::from_str::<Exact>(&text).unwrap().0.to_bits(), number.to_bits(), "{text}");
        }
        assert!(serde_json::from_str::<Exact>("\"NaN\"").unwrap().0.is_nan());
        assert!(serde_json::from_str::<Exact>("\"one\"").is_err());
    }
}
