//! How the rows of a cell's runs come about: what an interval over seeds can speak about follows from it.

use gmpc_compiler::ir::experiment::{DataSpec, Split};
use serde::{Deserialize, Serialize};

/// Of the test rows of runs that differ in their seeds only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Splits {
    /// The same for every seed: what varies is the training.
    #[default]
    Fixed,
    /// Drawn by the seed, at random or from a list of splits: runs share rows, so their figures are not independent.
    Drawn,
}

impl Splits {
    /// As the data's declaration says.
    #[must_use]
    pub fn of(data: Option<&DataSpec>) -> Self {
        let Some(data) = data else { return Splits::Fixed };
        match &data.split {
            Split::Random { .. } => Splits::Drawn,
            Split::Predefined { count, .. } if *count > 1 => Splits::Drawn,
            // A sample of the rows is drawn by the seed, too.
            _ if data.sample.is_some() => Splits::Drawn,
            Split::Predefined { .. } | Split::Given => Splits::Fixed,
        }
    }
}
