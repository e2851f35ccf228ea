//! What a cell of a comparison is of besides its parameterization, in words.

use super::Cell;

impl Cell {
    /// `lr = 0.01, batch = 64`: every other axis by the last word of its key, by the whole key where two end alike. A data set
    /// names itself. Empty where there are no other axes.
    #[must_use]
    pub fn setting(&self) -> String {
        words(&self.over)
    }
}

/// Values of axes as [`Cell::setting`] has them.
#[must_use]
pub fn words(over: &[(String, String)]) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_string();
    let one = |(key, value): &(String, String)| {
        let short = last(key);
        let alike = over.iter().filter(|(other, _)| last(other) == short).count();
        match key.as_str() {
            "data" => value.clone(),
            whole if alike > 1 => format!("{whole} = {value}"),
            _ => format!("{short} = {value}"),
        }
    };
    over.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::compare::{Splits, Statistics};

    #[test]
    fn axes_are_named_as_briefly_as_can_be() {
        let setting = |over: &[(&str, &str)]| {
            let over = over.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            let statistics = Statistics::of(&[]);
            let param = "gmp".to_string();
            let (outcomes, values, choice) = (vec![], vec![], f64::NAN);
            Cell {
                param,
                over,
                splits: Splits::Fixed,
                stopped: None,
                outcomes,
                values,
                statistics,
                choice,
                best: false,
            }
            .setting()
        };
        assert_eq!(setting(&[]), "");
        assert_eq!(setting(&[("train.optimizer.lr", "0.01"), ("train.batch", "64")]), "lr = 0.01, batch = 64");
        assert_eq!(setting(&[("data", "uci.yacht"), ("model.width", "16")]), "uci.yacht, width = 16");
        assert_eq!(setting(&[("a.b.x", "1"), ("a.c.x", "2")]), "a.b.x = 1, a.c.x = 2");
    }
}
