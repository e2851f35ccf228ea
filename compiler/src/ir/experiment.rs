//! The experiment that a file describes, with all names resolved and all values known: data, training, precision.
//!
//! `resolve` makes an [`Experiment`]; the runtime carries it out. It no longer refers to the syntax tree. Only spans are left,
//! so that the runtime can point at the line that asks for something impossible.

mod curve;
mod images;

pub use curve::{Curve, CurveNode, CurveOp, Hand, Moment};
pub use images::{Batches, Extent, Idx, ImageSource, ImageStep, Images, Normalize, shorter};

pub use gmpc_math::Precision;

use crate::ir::graph::Graph;
use gmpc_grammar::source::Span;

/// Everything that a `.gmpnet` file states besides the network itself.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// The model's name.
    pub model: String,
    /// The file's parameterization as text: `gmp + mn`.
    pub param: String,
    /// The data set. `None` if the file names no data; then the model states its input shape.
    pub data: Option<DataSpec>,
    /// The `train` block. `None` if the file has none: it can be checked, summarized and benchmarked.
    pub train: Option<TrainSpec>,
    /// The precision of all arithmetic in the programs.
    pub precision: Precision,
    /// How contractions multiply.
    pub contractions: Contractions,
    /// The seeds of everything random. `--seed` replaces all of them; the repeats of `compare` count them up.
    pub seeds: Seeds,
}

/// `seed = 3`, or `seed = seeds(data = 0, weights = 1, order = 2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    /// Of splits, validation rows and samples.
    pub data: u64,
    /// Of the first weights.
    pub weights: u64,
    /// Of the order of rows, of augmentation and dropout: what happens while training.
    pub order: u64,
}

impl Seeds {
    /// The same seed for everything.
    #[must_use]
    pub fn all(seed: u64) -> Self {
        Seeds { data: seed, weights: seed, order: seed }
    }

    /// The seeds of a repeat, counted from 0.
    #[must_use]
    pub fn repeat(self, k: u64) -> Self {
        let Seeds { data, weights, order } = self;
        Seeds { data: data.wrapping_add(k), weights: weights.wrapping_add(k), order: order.wrapping_add(k) }
    }

    /// As a setting: `3`, or `seeds(data = 0, weights = 1, order = 2)`.
    #[must_use]
    pub fn setting(self) -> String {
        let Seeds { data, weights, order } = self;
        match self == Seeds::all(data) {
            true => data.to_string(),
            false => format!("seeds(data = {data}, weights = {weights}, order = {order})"),
        }
    }
}

/// How matmuls and convolutions multiply. Their sums, and all other arithmetic, have the program's precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Contractions {
    /// Operands are not rounded.
    #[default]
    Full,
    /// `tf32`: libraries may drop the last 13 bits of the fraction of each operand.
    Tf32,
    /// `bf16`: operands are rounded to bfloat16, which drops the last 16 bits of the fraction. The results of convolutions and
    /// of their gradients are rounded too.
    Bf16,
}

impl Experiment {
    /// The word in the file: `f32`, `f64`, `tf32` or `bf16`.
    #[must_use]
    pub fn precision_word(&self) -> &'static str {
        let all = PRECISIONS.iter().find(|(_, choice)| *choice == (self.precision, self.contractions));
        all.map_or("f64", |(word, _)| word)
    }
}

/// The words of the setting `precision`, with their meanings.
pub(crate) const PRECISIONS: [(&str, (Precision, Contractions)); 4] = [
    ("f32", (Precision::F32, Contractions::Full)),
    ("f64", (Precision::F64, Contractions::Full)),
    ("tf32", (Precision::F32, Contractions::Tf32)),
    ("bf16", (Precision::F32, Contractions::Bf16)),
];

/// One data set, with its split and its scaling.
#[derive(Debug, Clone)]
pub struct DataSpec {
    /// `uci.yacht`, `levy`, or the file name of a table given directly.
    pub name: String,
    /// The declaration's documentation, first line first.
    pub docs: Vec<String>,
    /// The file or formula that the numbers come from.
    pub source: DataSource,
    /// The meaning of the target column.
    pub task: Task,
    /// Number of input columns, if the declaration states it (`features = 6`).
    pub features: Option<usize>,
    /// Number of classes, if stated.
    pub classes: Option<usize>,
    /// How rows are divided into training rows and test rows.
    pub split: Split,
    /// Fraction of the training rows that is held out for selection, 0 to below 1. Ignored when `train.select` is `test`.
    pub validation: f64,
    /// The columns that are centred and scaled by the mean and deviation of the training rows.
    pub standardize: Standardize,
    /// If set, this many rows are drawn without replacement before everything else (`sample = 1000`).
    pub sample: Option<usize>,
    /// The `data = …` line.
    pub span: Span,
}

impl DataSpec {
    /// Returns the number of target columns that the file states: the number of target columns of a table, otherwise 1.
    #[must_use]
    pub fn declared_outputs(&self) -> usize {
        match (&self.source, self.task) {
            (DataSource::Table(table), Task::Regression) => table.target.len().max(1),
            _ => 1,
        }
    }

    /// Returns the shape of an example, `[features]` or `[channels, height, width]`, if the file states it.
    #[must_use]
    pub fn declared_shape(&self) -> Option<Vec<usize>> {
        match &self.source {
            DataSource::Images(images) => images.example_shape().map(Vec::from),
            _ => self.features.map(|features| vec![features]),
        }
    }

    /// Returns the images, if this is a set of images.
    #[must_use]
    pub fn images(&self) -> Option<&Images> {
        match &self.source {
            DataSource::Images(images) => Some(images),
            _ => None,
        }
    }
}

/// The facts about a data set that shape inference needs. The runtime takes them from the data file, or from the declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFacts {
    /// Number of examples. `None` if the facts come from the declaration alone, without the file.
    pub rows: Option<usize>,
    /// Shape of an example: `[features]` of a table, `[channels, height, width]` of images. Programs take images as
    /// `[height, width, channels]`. Each size is at least 1.
    pub shape: Vec<usize>,
    /// Number of target columns, at least 1. It is 1 for classification (the class number).
    pub outputs: usize,
    /// Number of classes, at least 2; `None` for regression.
    pub classes: Option<usize>,
}

impl DataFacts {
    /// Returns how many numbers an example has.
    #[must_use]
    pub fn features(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The source of a data set's numbers.
#[derive(Debug, Clone)]
pub enum DataSource {
    /// Text with one example in each line.
    Table(Table),
    /// Arrays in NumPy's format.
    Arrays(Arrays),
    /// Computed from a formula, without any file.
    Formula(Formula),
    /// Images, each with a class.
    Images(Images),
}

/// A file of a data set, and the address it can be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Relative to the data directory (`uci/yacht/data/data.txt`). A table that is named in the user's own file is searched
    /// relative to that file first.
    pub path: String,
    /// The address from which `gmpc data fetch` gets the file.
    pub url: Option<String>,
    /// The checksum of the file, 64 hexadecimal digits.
    pub sha256: Option<String>,
}

/// CSV, whitespace tables, KEEL files.
#[derive(Debug, Clone)]
pub struct Table {
    /// The file.
    pub file: FileSpec,
    /// What separates columns.
    pub separator: Separator,
    /// Does the first row contain names? `None`: yes if it has a word in a column where the second row has a number.
    pub header: Option<bool>,
    /// Lines that begin with one of these characters are skipped (KEEL: `@`).
    pub skip: String,
    /// Cells that hold no value, besides empty ones; `None`: what tables usually write for that (`?`, `NA`, `None`, …).
    pub missing: Option<Vec<String>>,
    /// The target columns, by position or by name.
    pub target: Vec<Column>,
    /// The feature columns. Empty: all columns that are not targets.
    pub columns: Vec<Column>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// By position, counted from 0.
    Index(usize),
    /// By the name in the header.
    Name(String),
}

/// What separates columns.
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
    /// `x.npy` with shape `[rows, features…]`, or the NPZ file.
    pub inputs: FileSpec,
    /// Member name in an NPZ file.
    pub inputs_key: Option<String>,
    /// `y.npy` with shape `[rows]` or `[rows, outputs]`. For NPZ, the same file as `inputs`.
    pub targets: FileSpec,
    /// Member name in an NPZ file.
    pub targets_key: Option<String>,
}

/// One-dimensional data computed from a formula, as in the Levy experiment (paper, Figure 2).
#[derive(Debug, Clone)]
pub struct Formula {
    /// The formula, with one input `x` `[1, 1]` and one output `y` `[1, 1]`. The runtime evaluates it for each point.
    pub graph: Graph,
    /// Lower end of the range of `x`.
    pub low: f64,
    /// Upper end of the range of `x`.
    pub high: f64,
    /// Number of training points. They are drawn uniformly.
    pub points: usize,
    /// Standard deviation of the noise added to the training targets.
    pub noise: f64,
    /// Number of test points. They have no noise and are evenly spaced from `low` to `high`, both ends included.
    pub test_points: usize,
    /// Seed of NumPy's legacy generator (MT19937), which the paper's code uses. All `x` are drawn first, then all noise.
    pub draw: u64,
}

/// The meaning of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Real numbers, one column for each output.
    Regression,
    /// Class labels. The distinct values in ascending order become classes 0, 1, ….
    Classification,
}

/// How rows are divided into training rows and test rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Split {
    /// `random(train = 0.8)`: by a permutation that depends only on the run's seed.
    Random {
        /// Fraction of training rows, above 0 and below 1.
        train: f64,
    },
    /// `predefined(train = "…/index_train_{split}.txt", test = "…")`: files of row numbers, counted from 0. `{split}` is
    /// replaced by the run's seed modulo `count`.
    Predefined {
        /// Path pattern below the data directory.
        train: String,
        /// Path pattern below the data directory.
        test: String,
        /// Number of splits.
        count: u64,
    },
    /// The source itself has test rows (formulas, images with test files).
    Given,
}

/// The columns that are centred and scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standardize {
    /// None.
    None,
    /// The inputs. A constant column becomes 0.
    Features,
    /// Inputs and regression targets. Errors are still reported in the original units of the targets.
    All,
}

/// The `train` block.
#[derive(Debug, Clone)]
pub struct TrainSpec {
    /// Name of the loss.
    pub loss: String,
    /// Name of the optimizer. Empty if the file names none.
    pub optimizer: String,
    /// Its learning rate before any schedule, finite and above 0. It is 0 without an optimizer.
    pub lr: f64,
    /// The metrics, in the order in which they are printed. `compare` shows the first one.
    pub metrics: Vec<MetricSpec>,
    /// Rows in a step.
    pub batch: Batch,
    /// At most this many passes over the training rows.
    pub epochs: u64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// The condition to stop before the last epoch.
    pub stop: Option<EarlyStop>,
    /// The rows that `valid.…` is measured on, for schedules, stopping and the best weights.
    pub select: Select,
    /// Do the rows get a new order in each epoch? The order is a function of (seed, epoch).
    pub shuffle: bool,
    /// Is a last batch that is not full used (`true`) or left out (`false`)?
    pub keep_last_batch: bool,
    /// The augmentation of training images. Random steps are drawn again in each epoch. Empty for tables.
    pub augment: Vec<ImageStep>,
    /// `clip_norm = 1.0`: a gradient of the whole network that is longer than this is shortened to it. Above 0.
    pub clip_norm: Option<f64>,
    /// `accumulate = 4`: the gradients of this many batches make one step, as those of one large batch would. At least 1.
    pub accumulate: u64,
    /// `average = ema(0.999)`: evaluation uses an average of the weights.
    pub average: Option<Average>,
    /// The run whose weights are the first ones.
    pub start: Option<Start>,
    /// What is recorded during training, in addition to the result.
    pub record: Option<Record>,
    /// The `train { … }` block.
    pub span: Span,
}

/// An average of the weights over training, which evaluation uses in their place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Average {
    /// `ema(decay = 0.999)`: after each step, `decay` times the average plus `1 - decay` times the weights. The first step sets
    /// it to the weights.
    Exponential {
        /// 0 to below 1.
        decay: f64,
    },
    /// `swa(start = 75, every = 1)`: the mean of the weights at the end of epoch `start` and of each `every`th epoch after it.
    /// Before that, the average is equal to the weights.
    Epochs {
        /// The first epoch whose weights are taken, from 1.
        from: u64,
        /// Epochs between two weights that are taken, at least 1.
        every: u64,
    },
}

/// `start = run("runs/a", except = [head])`: a run begins with the weights of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The folder of the run, relative to that of the file.
    pub folder: String,
    /// Layers and blocks whose weights are drawn all the same, with their places.
    pub except: Vec<(String, Span)>,
    /// Continues that run: with its optimizer's states and its counters of epochs, too. `--from RUN` asks for it.
    pub whole: bool,
    /// The setting's value.
    pub span: Span,
}

/// `record = boundaries`: the boundaries at which units switch, recorded during training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// How often they are recorded.
    pub every: Every,
    /// The layers whose boundaries are recorded.
    pub followed: Followed,
    /// The setting's value.
    pub span: Span,
}

/// The layers whose boundaries are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// The layers that read the network's input.
    First,
    /// `boundaries(layers = all)`: all layers. Their weights are recorded, too.
    All,
}

/// How often something is recorded: before the first step, and then each time after this many epochs or steps, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// `boundaries(epochs = 10)`
    Epochs(u64),
    /// `boundaries(steps = 100)`: optimizer steps, counted over the whole run.
    Steps(u64),
}

/// A metric, and whether higher or lower values are better.
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

/// The rows on which the best weights are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// A held-out part of the training rows (`data.validation`).
    Valid,
    /// The test rows, as in the paper's code. A warning says so, because the reported result is then too good.
    Test,
}

/// A monitored quantity: `valid.rmse`, `train.loss`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// The rows that it is measured on.
    pub part: Part,
    /// `loss` or the name of a metric.
    pub quantity: String,
    /// Are higher values better?
    pub higher_is_better: bool,
}

/// A part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The rows to train on.
    Train,
    /// The rows to select weights on.
    Valid,
    /// The rows of the reported result.
    Test,
}

/// How the learning rate changes. Epochs count from 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// It does not change.
    Constant,
    /// `reduce_on_plateau(monitor, factor = 0.1, patience = 10, min_delta = 0, min_lr = 0)`: it is multiplied by `factor` when
    /// `patience` epochs in a row were not better than the best one by more than `min_delta`.
    ReduceOnPlateau {
        /// The quantity that must improve.
        monitor: Monitor,
        /// Factor of the learning rate, above 0 and below 1.
        factor: f64,
        /// Epochs without improvement, at least 1.
        patience: u64,
        /// The smallest improvement that counts.
        min_delta: f64,
        /// The learning rate is never below this.
        min_lr: f64,
    },
    /// A `schedule` definition, of the library or of the file: `cosine`, `milestones(at = [30, 60])`.
    Curve(Curve),
    /// `warm_up(epochs = 5, then = cosine, per = epoch)`: linear from `lr / epochs`, then `then`.
    WarmUp {
        /// Epochs of the warm-up, at least 1.
        epochs: u64,
        /// Does the rate rise with each step (`per = step`) or with each epoch?
        every_step: bool,
        /// The schedule after the warm-up. It counts its epochs from the end of the warm-up.
        then: Box<Schedule>,
    },
}

/// `early_stop(monitor, patience = 10, min_delta = 0, restore_best = true)`
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyStop {
    /// The quantity that must improve.
    pub monitor: Monitor,
    /// Training stops when this many epochs in a row were not better, at least 1.
    pub patience: u64,
    /// The smallest improvement that counts.
    pub min_delta: f64,
    /// Does training end with the weights of the best epoch (`true`) or of the last one (`false`)?
    pub restore_best: bool,
}
