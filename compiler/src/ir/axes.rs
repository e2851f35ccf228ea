//! What the axes of a value mean, so that reductions name them: `mean(x, over = features)`.
//!
//! ```text
//! x                  [rows, features]   [rows, positions, positions, features]
//! w: weight          [inputs, units]
//! g: unit            [1, units]         the 1 stands for an axis that the value does not depend on
//! mean(x)            [1, features]
//! mean(x, over = features)   [rows, 1]
//! ```
//!
//! Axes are in the order of graphs: units and features come last.

/// The most axes of a value.
const MOST: usize = 8;

/// The meaning of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Axis {
    /// Size 1: the value is the same along this axis, or was reduced over it.
    #[default]
    One,
    /// The examples of a batch.
    Rows,
    /// Pixels, or places in a series.
    Positions,
    /// Features or channels of an example.
    Features,
    /// Units or filters of a layer.
    Units,
    /// Inputs of each unit.
    Inputs,
    /// Angles of each unit, one less than its inputs.
    Angles,
    /// Groups of features.
    Groups,
    /// Features within a group.
    Group,
    /// An axis of a parameter that only its definition names, such as `rank`: the argument of this number gives its size.
    Own(u8),
}

impl Axis {
    /// The word of the language for it; an axis of size 1 has none.
    #[must_use]
    pub fn word(self) -> Option<&'static str> {
        match self {
            Axis::One => None,
            Axis::Rows => Some("batch"),
            Axis::Positions => Some("positions"),
            Axis::Features => Some("features"),
            Axis::Units => Some("units"),
            Axis::Inputs | Axis::Angles => Some("inputs"),
            Axis::Groups => Some("groups"),
            Axis::Group => Some("group"),
            Axis::Own(_) => Some("an axis of its own"),
        }
    }
}

/// The axes of a value, outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Axes {
    of: [Axis; MOST],
    rank: u8,
    /// Is this the fixed sign of a unit with one input, which stands for its angles?
    is_sign: bool,
}

impl Axes {
    /// `[]`
    pub const SCALAR: Axes = Axes::new(&[]);
    /// `[1, units]`: one value for each unit.
    pub const UNIT: Axes = Axes::new(&[Axis::One, Axis::Units]);
    /// `[1, features]`: one value for each feature of the input.
    pub const FEATURE: Axes = Axes::new(&[Axis::One, Axis::Features]);
    /// `[1, 1]`: one value for a layer.
    pub const LAYER: Axes = Axes::new(&[Axis::One, Axis::One]);
    /// `[fan_in, units]`
    pub const WEIGHT: Axes = Axes::new(&[Axis::Inputs, Axis::Units]);
    /// `[fan_in - 1, units]`
    pub const ANGLES: Axes = Axes::new(&[Axis::Angles, Axis::Units]);
    /// `[1, units]`, +1 or -1. It replaces the angles of a unit with one input, which has none.
    pub const SIGN: Axes = Axes { is_sign: true, ..Axes::UNIT };

    /// Axes in this order, at most eight.
    #[must_use]
    pub const fn new(axes: &[Axis]) -> Self {
        assert!(axes.len() <= MOST, "too many axes");
        let (mut of, mut i, mut rank) = ([Axis::One; MOST], 0, 0);
        while i < axes.len() {
            of[i] = axes[i];
            i += 1;
            rank += 1;
        }
        Axes { of, rank, is_sign: false }
    }

    /// A batch with this number of axes, whose last one is `last`: `[rows, last]`, `[rows, positions, last]`, or `[rows, height,
    /// width, last]`.
    #[must_use]
    pub fn batch(rank: usize, last: Axis) -> Self {
        let mut of = [Axis::One; MOST];
        for (i, axis) in of.iter_mut().enumerate().take(rank) {
            *axis = if i == 0 { Axis::Rows } else { Axis::Positions };
        }
        if rank > 1 {
            of[rank.min(MOST) - 1] = last;
        }
        Axes { of, rank: u8::try_from(rank.min(MOST)).unwrap_or(0), is_sign: false }
    }

    /// The axes in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Axis> + DoubleEndedIterator + '_ {
        self.of[..usize::from(self.rank)].iter().copied()
    }

    /// Number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        usize::from(self.rank)
    }

    /// Is this the fixed sign of a unit with one input?
    #[must_use]
    pub fn is_sign(&self) -> bool {
        self.is_sign
    }

    /// Has it one value or more for each example?
    #[must_use]
    pub fn is_batch(&self) -> bool {
        self.has(Axis::Rows)
    }

    /// Is one of the axes this one?
    #[must_use]
    pub fn has(&self, wanted: Axis) -> bool {
        self.iter().any(|axis| axis == wanted)
    }

    /// The indices of the axes for which `wanted` holds.
    pub fn places(&self, wanted: impl Fn(Axis) -> bool) -> Vec<usize> {
        self.iter().enumerate().filter(|(_, axis)| wanted(*axis)).map(|(i, _)| i).collect()
    }

    /// The same with some axes reduced to size 1.
    #[must_use]
    pub fn without(mut self, places: &[usize]) -> Self {
        places.iter().filter(|&&place| place < MOST).for_each(|&place| self.of[place] = Axis::One);
        self.is_sign = false;
        self
    }

    /// The axes of an elementwise operation on two values. They are matched from the last one on; an axis that is missing or
    /// has size 1 takes the other's meaning. `None` if two axes have different meanings.
    #[must_use]
    pub fn joined(self, other: Axes) -> Option<Axes> {
        let both_batches = self.is_batch() && other.is_batch();
        let rank = self.rank().max(other.rank());
        let mut of = [Axis::One; MOST];
        for back in 1..=rank {
            let at = |axes: &Axes| axes.rank().checked_sub(back).map_or(Axis::One, |place| axes.of[place]);
            of[rank - back] = match (at(&self), at(&other)) {
                (Axis::One, axis) | (axis, Axis::One) => axis,
                (a, b) if a == b => a,
                // A pre-activation and an input of the same width may be added, as in a residual unit.
                (Axis::Features, Axis::Units) | (Axis::Units, Axis::Features) if both_batches => Axis::Units,
                _ => return None,
            };
        }
        Some(Axes { of, rank: u8::try_from(rank).unwrap_or(0), is_sign: false })
    }

    /// The words for its axes, each once: `batch`, `features`.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        let mut words: Vec<&str> = self.iter().filter_map(Axis::word).collect();
        words.dedup();
        words
    }

    /// What it is, for messages: "one value per unit".
    #[must_use]
    pub fn description(&self) -> String {
        if self.is_sign {
            return "the fixed sign of a unit with one input".to_string();
        }
        let kept: Vec<Axis> = self.iter().filter(|axis| *axis != Axis::One).collect();
        match kept[..] {
            [] => "a number".to_string(),
            [Axis::Units] => "one value per unit".to_string(),
            [Axis::Features] => "one value per feature".to_string(),
            [Axis::Inputs] => "one value per input".to_string(),
            [Axis::Rows] => "one value per example".to_string(),
            [Axis::Inputs, Axis::Units] => "a weight".to_string(),
            [Axis::Angles, Axis::Units] => "angles".to_string(),
            [Axis::Rows, .., Axis::Features | Axis::Units] if self.iter().all(|axis| axis != Axis::One) => {
                "a batch of examples".to_string()
            }
            _ => format!("a value with {}", self.words().join(", ")),
        }
    }
}

/// The kind that a definition declares a parameter with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ParameterKind {
    /// `weight`: one value for each input of each unit.
    #[default]
    Weight,
    /// `angles`: one value less for each unit.
    Angles,
    /// `unit`: one value for each unit.
    Unit,
    /// `offset`: one value for each unit, which `bias = false` holds at 0.
    Offset,
    /// `layer`: one value.
    Layer,
    /// `feature`: one value for each feature of the input.
    Feature,
    /// `position`: one value for each position of the input.
    Position,
    /// A shape by axes: `[units, rank]`.
    Shape,
}

impl ParameterKind {
    /// All kinds, with their words; a shape has none.
    pub const WORDS: [(&'static str, ParameterKind); 7] = [
        ("weight", ParameterKind::Weight),
        ("angles", ParameterKind::Angles),
        ("unit", ParameterKind::Unit),
        ("offset", ParameterKind::Offset),
        ("layer", ParameterKind::Layer),
        ("feature", ParameterKind::Feature),
        ("position", ParameterKind::Position),
    ];

    /// The kind of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<ParameterKind> {
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, kind)| kind)
    }

    /// The word of the language for it: `weight`; `shape` for a shape by axes.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, kind)| *kind == self).map_or("shape", |(word, _)| word)
    }
}

/// What a definition says about a state: its kind, and the meaning of its axes in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Meaning {
    /// How it was declared. Statistics and fixed signs have the kind of what they stand for.
    pub kind: ParameterKind,
    /// Its axes.
    pub axes: Axes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_join_where_their_axes_mean_the_same() {
        let x = Axes::batch(4, Axis::Features);
        assert_eq!(x.joined(Axes::FEATURE), Some(x));
        assert_eq!(x.joined(Axes::UNIT), None, "one value per unit does not fit the features of the input");
        assert_eq!(Axes::WEIGHT.joined(Axes::UNIT), Some(Axes::WEIGHT));
        assert_eq!(Axes::WEIGHT.joined(Axes::ANGLES), None);
        assert_eq!(Axes::WEIGHT.joined(Axes::FEATURE), None, "features are not units, even where there are as many");
        assert_eq!(x.joined(Axes::SCALAR), Some(x));
        let rows = x.without(&[3]);
        assert_eq!(rows.joined(x), Some(x));
        assert_eq!(rows.description(), "a value with batch, positions");
    }

    #[test]
    fn a_batch_knows_its_features_and_positions() {
        assert_eq!(Axes::batch(2, Axis::Units).words(), ["batch", "units"]);
        assert_eq!(Axes::batch(4, Axis::Features).words(), ["batch", "positions", "features"]);
        assert_eq!(Axes::batch(3, Axis::Features).words(), ["batch", "positions", "features"]);
        assert_eq!(Axes::batch(4, Axis::Features).places(|axis| axis == Axis::Positions), [1, 2]);
    }

    #[test]
    fn every_kind_has_its_word() {
        for (word, kind) in ParameterKind::WORDS {
            assert_eq!((ParameterKind::of(word), kind.word()), (Some(kind), word));
        }
        assert_eq!(ParameterKind::of("state"), None);
    }
}
