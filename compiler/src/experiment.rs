//! What a file asks to be done with its network, every name resolved and every value known: data, training, precision.
//!
//! `resolve` makes an [`Experiment`]; the runtime carries it out. Nothing here refers to the syntax tree any more, except
//! for spans, so that the runtime can point at the line that asked for something it cannot do.

mod images;

pub use images::{Batches, Extent, Idx, ImageSource, ImageStep, Images, Normalize, shorter};

pub use gmpc_math::Precision;

use crate::graph::Graph;
use gmpc_grammar::source::Span;

/// Everything a `.gmpnet` file says besides the network itself.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// The model's name.
    pub model: String,
    /// The file's parameterization as a person writes it: `gmp + mn`.
    pub param: String,
    /// Where examples come from; `None` where the model states its input shape and the file names no data.
    pub data: Option<DataSpec>,
    /// The `train` block; `None` where the file has none (such a file can be checked, summarized and benchmarked).
    pub train: Option<TrainSpec>,
    /// Of all arithmetic in the programs.
    pub precision: Precision,
    /// How contractions multiply.
    pub contractions: Contractions,
    /// Seeds weights, splits, shuffles and dropout; `--seed` and `compare`'s repeats replace it.
    pub seed: u64,
}

/// How matrix products and convolutions multiply; their sums, and everything else, have the program's precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Contractions {
    /// Numbers as they are.
    #[default]
    Full,
    /// `tf32`: libraries may drop the last 13 bits of the fraction of what they multiply.
    Tf32,
    /// `bf16`: what is multiplied is rounded to bfloat16 before, the last 16 bits of the fraction gone; so is what
    /// a convolution or one of its gradients results in.
    Bf16,
}

impl Experiment {
    /// What the file says: `f32`, `f64`, `tf32` or `bf16`.
    #[must_use]
    pub fn precision_word(&self) -> &'static str {
        let all = PRECISIONS.iter().find(|(_, choice)| *choice == (self.precision, self.contractions));
        all.map_or("f64", |(word, _)| word)
    }
}

/// What `precision` may be.
pub(crate) const PRECISIONS: [(&str, (Precision, Contractions)); 4] = [
    ("f32", (Precision::F32, Contractions::Full)),
    ("f64", (Precision::F64, Contractions::Full)),
    ("tf32", (Precision::F32, Contractions::Tf32)),
    ("bf16", (Precision::F32, Contractions::Bf16)),
];

/// One data set, with how it is cut and scaled.
#[derive(Debug, Clone)]
pub struct DataSpec {
    /// `uci.yacht`, `levy`, or the file name of a table given directly.
    pub name: String,
    /// The declaration's documentation, first line first.
    pub docs: Vec<String>,
    /// Where the numbers are.
    pub source: DataSource,
    /// What the target column means.
    pub task: Task,
    /// Number of input columns, where the declaration states it (`features = 6`).
    pub features: Option<usize>,
    /// Number of classes, where stated.
    pub classes: Option<usize>,
    /// How rows become train and test parts.
    pub split: Split,
    /// Part of the training rows held out to choose on, 0 to below 1. Ignored when `train.select` is `test`.
    pub validation: f64,
    /// Which columns are centred and scaled by the training rows' mean and deviation.
    pub standardize: Standardize,
    /// Draw this many rows without replacement first (`sample = 1000`).
    pub sample: Option<usize>,
    /// The `data = …` line.
    pub span: Span,
}

impl DataSpec {
    /// Number of target columns as far as the file says it: of a table, the columns named; else 1.
    #[must_use]
    pub fn declared_outputs(&self) -> usize {
        match (&self.source, self.task) {
            (DataSource::Table(table), Task::Regression) => table.target.len().max(1),
            _ => 1,
        }
    }

    /// The shape of an example as far as the file says it: `[features]`, or `[channels, height, width]`.
    #[must_use]
    pub fn declared_shape(&self) -> Option<Vec<usize>> {
        match &self.source {
            DataSource::Images(images) => images.example_shape().map(Vec::from),
            _ => self.features.map(|features| vec![features]),
        }
    }

    /// The images, where it is a set of images.
    #[must_use]
    pub fn images(&self) -> Option<&Images> {
        match &self.source {
            DataSource::Images(images) => Some(images),
            _ => None,
        }
    }
}

/// What is known of a data set before a network is built for it: the runtime reads it off the file (or the declaration), and
/// shape inference starts from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFacts {
    /// Examples in all; `None` where the declaration says the rest and the file need not be there.
    pub rows: Option<usize>,
    /// An example: `[features]` of a table, `[channels, height, width]` of images (which a program takes as height, width,
    /// channels). Each at least 1.
    pub shape: Vec<usize>,
    /// Target columns, 1 for classification (the class number); at least 1.
    pub outputs: usize,
    /// Number of classes, at least 2; `None` for regression.
    pub classes: Option<usize>,
}

impl DataFacts {
    /// Numbers of an example.
    #[must_use]
    pub fn features(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Where the numbers are.
#[derive(Debug, Clone)]
pub enum DataSource {
    /// Text: one example a line.
    Table(Table),
    /// Arrays in NumPy's format.
    Arrays(Arrays),
    /// Computed, with no file at all.
    Formula(Formula),
    /// Images with a class each.
    Images(Images),
}

/// A file of a data set and where it can be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Below the data directory (`uci/yacht/data/data.txt`); for a table named in the user's own file, relative to that file
    /// if it exists there, else to the data directory.
    pub path: String,
    /// Where `gmpc data fetch` gets it.
    pub url: Option<String>,
    /// 64 hexadecimal digits.
    pub sha256: Option<String>,
}

/// CSV, whitespace tables, KEEL files.
#[derive(Debug, Clone)]
pub struct Table {
    /// The file.
    pub file: FileSpec,
    /// Between columns.
    pub separator: Separator,
    /// Does the first row hold names? `None`: yes if it holds a word where the second row holds a number.
    pub header: Option<bool>,
    /// Lines that begin with one of these characters are skipped (KEEL: `@`).
    pub skip: String,
    /// The target columns, by position or by name.
    pub target: Vec<Column>,
    /// The feature columns; empty: every column that is not a target.
    pub columns: Vec<Column>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// 0-based.
    Index(usize),
    /// As the header writes it.
    Name(String),
}

/// What stands between columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// Runs of blanks and tabs.
    Whitespace,
    /// This character.
    Character(char),
}

/// NPY files or members of an NPZ file.
#[derive(Debug, Clone)]
pub struct Arrays {
    /// `x.npy` of shape `[rows, features…]`, or the NPZ file.
    pub inputs: FileSpec,
    /// Member name in an NPZ file.
    pub inputs_key: Option<String>,
    /// `y.npy` of shape `[rows]` or `[rows, outputs]`; the same file as `inputs` for NPZ.
    pub targets: FileSpec,
    /// Member name in an NPZ file.
    pub targets_key: Option<String>,
}

/// One-dimensional data computed from a formula, as the Levy experiment (paper, Figure 2).
#[derive(Debug, Clone)]
pub struct Formula {
    /// From one input `x` `[1, 1]` to one output `y` `[1, 1]`; the runtime evaluates it once a point.
    pub graph: Graph,
    /// Range of `x`.
    pub low: f64,
    /// Range of `x`.
    pub high: f64,
    /// Training points, drawn uniformly.
    pub points: usize,
    /// Standard deviation of the noise added to the training targets.
    pub noise: f64,
    /// Noise-free test points, evenly spaced from `low` to `high`, both ends included.
    pub test_points: usize,
    /// Seed of NumPy's legacy generator (MT19937), which the official code draws from; all `x` first, then all noise.
    pub draw: u64,
}

/// What the target means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Real numbers, one column an output.
    Regression,
    /// Class labels; the distinct values in ascending order become classes 0, 1, ….
    Classification,
}

/// How rows become train and test parts.
#[derive(Debug, Clone, PartialEq)]
pub enum Split {
    /// `random(train = 0.8)`: a permutation that depends on the run's seed only.
    Random {
        /// Above 0, below 1.
        train: f64,
    },
    /// `predefined(train = "…/index_train_{split}.txt", test = "…")`: files of 0-based row numbers, `{split}` replaced by
    /// the run's seed modulo `count`.
    Predefined {
        /// Path pattern below the data directory.
        train: String,
        /// Path pattern below the data directory.
        test: String,
        /// How many splits there are.
        count: u64,
    },
    /// The source itself says which rows are test rows (formulas, images with test files).
    Given,
}

/// Which columns are centred and scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standardize {
    /// None.
    None,
    /// The inputs; a constant column becomes 0.
    Features,
    /// Inputs and regression targets; errors are reported in the targets' own units all the same.
    All,
}

/// The `train` block.
#[derive(Debug, Clone)]
pub struct TrainSpec {
    /// Name of the loss.
    pub loss: String,
    /// Name of the optimizer; empty where the file names none.
    pub optimizer: String,
    /// Its learning rate before any schedule, finite, above 0; 0 where there is no optimizer.
    pub lr: f64,
    /// Names of the metrics, in the order they are printed; the first is `compare`'s.
    pub metrics: Vec<MetricSpec>,
    /// Rows in a step.
    pub batch: Batch,
    /// At most this many passes over the training rows.
    pub epochs: u64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// When to stop before the last epoch.
    pub stop: Option<EarlyStop>,
    /// On which part schedules, stopping and the best weights are judged when they monitor `valid.…`.
    pub select: Select,
    /// New order of rows each epoch, a function of (seed, epoch).
    pub shuffle: bool,
    /// Is a last batch that is not full trained on (`true`) or left out?
    pub keep_last_batch: bool,
    /// Done to each training image, drawn anew each epoch; empty for tables.
    pub augment: Vec<ImageStep>,
    /// What is kept of the way there, beside the result.
    pub record: Option<Record>,
    /// The `train { … }` block.
    pub span: Span,
}

/// `record = boundaries`: where units switch, over training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// How often.
    pub every: Every,
    /// Of which layers.
    pub followed: Followed,
    /// The setting's value.
    pub span: Span,
}

/// Which layers' boundaries are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// Those that read the network's input.
    First,
    /// `boundaries(layers = all)`: the whole network is kept, too.
    All,
}

/// How often something is done, once before the first step and then again after so many, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// `boundaries(epochs = 10)`
    Epochs(u64),
    /// `boundaries(steps = 100)`: optimizer steps, counted over the whole run.
    Steps(u64),
}

/// A metric and which way is better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSpec {
    /// `rmse`
    pub name: String,
    /// `accuracy`: true; `rmse`: false.
    pub higher_is_better: bool,
}

/// Rows in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// Every training row at once.
    All,
    /// This many, above 0.
    Size(usize),
}

/// Which rows are judged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// A held-out part of the training rows (`data.validation`).
    Valid,
    /// The test rows, as the paper's code does; told in a warning, for the reported figure is then an optimistic one.
    Test,
}

/// A monitored quantity: `valid.rmse`, `train.loss`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Which rows.
    pub part: Part,
    /// `loss` or the name of a metric.
    pub quantity: String,
    /// Which way is better.
    pub higher_is_better: bool,
}

/// A part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Trained on.
    Train,
    /// Chosen on.
    Valid,
    /// Reported on.
    Test,
}

/// How the learning rate changes. Epochs count from 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// Never.
    Constant,
    /// `reduce_on_plateau(monitor, factor = 0.1, patience = 10, min_delta = 0, min_lr = 0)`: multiplied by `factor` when
    /// `patience` epochs in a row were not better than the best so far by more than `min_delta`.
    ReduceOnPlateau {
        /// What is looked at.
        monitor: Monitor,
        /// Above 0, below 1.
        factor: f64,
        /// Epochs without improvement, at least 1.
        patience: u64,
        /// What counts as better.
        min_delta: f64,
        /// Never below this.
        min_lr: f64,
    },
    /// `step(every = 30, factor = 0.1)`
    Step {
        /// Epochs, at least 1.
        every: u64,
        /// Above 0.
        factor: f64,
    },
    /// `cosine(final = 0)`: half a cosine from `lr` to `final * lr` over all epochs.
    Cosine {
        /// Last rate over first rate, 0 to 1.
        last: f64,
    },
    /// `warm_up(epochs = 5, then = cosine())`: linear from `lr / epochs`, then `then`.
    WarmUp {
        /// At least 1.
        epochs: u64,
        /// What follows, its own epochs counted from the end of the warm-up.
        then: Box<Schedule>,
    },
}

/// `early_stop(monitor, patience = 10, min_delta = 0, restore_best = true)`
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyStop {
    /// What is looked at.
    pub monitor: Monitor,
    /// Stop when this many epochs in a row were not better, at least 1.
    pub patience: u64,
    /// What counts as better.
    pub min_delta: f64,
    /// End with the weights of the best epoch, not of the last.
    pub restore_best: bool,
}
