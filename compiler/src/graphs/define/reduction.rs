//! The reductions of the language by name. What they do over which axes is in `over`.

/// What is computed over axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    Mean,
    Var,
    Sum,
    Norm,
    Max,
    Min,
}

impl Reduction {
    const WORDS: [(&'static str, Reduction); 6] = [
        ("mean", Reduction::Mean),
        ("var", Reduction::Var),
        ("sum", Reduction::Sum),
        ("norm", Reduction::Norm),
        ("max", Reduction::Max),
        ("min", Reduction::Min),
    ];

    /// The reduction of this name. `max` and `min` are functions of two values unless axes are named.
    pub(crate) fn of(name: &str, is_over: bool) -> Option<Reduction> {
        let found = Self::WORDS.into_iter().find(|(word, _)| *word == name).map(|(_, found)| found)?;
        (is_over || !matches!(found, Reduction::Max | Reduction::Min)).then_some(found)
    }

    /// Its name in the language.
    pub(crate) fn word(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, found)| *found == self).map_or("", |(word, _)| word)
    }
}
