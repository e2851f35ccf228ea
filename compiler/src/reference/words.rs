//! One line for every setting, schedule, source and step: the compiler's own lists have names and arguments only.

/// Lines by name.
type Lines = &'static [(&'static str, &'static str)];

/// Settings of a file.
pub(super) const FILE: Lines = &[
    ("param", "the parameterization of every layer; `sp` by default"),
    ("data", "the data set"),
    ("defaults", "default arguments of definitions for the whole file"),
    ("precision", "`f32`, `f64`, `tf32` or `bf16`; `f32` by default"),
    ("seed", "of weights, splits, shuffles and dropout, or `seeds(data = …, weights = …, order = …)`; 0 by default"),
];

/// Settings of `train`.
pub(super) const TRAIN: Lines = &[
    ("loss", "what training makes small: a loss of the library or your own"),
    ("optimizer", "how parameters change: an optimizer of the library or your own"),
    ("groups", "other arguments of the optimizer for some parameters, by kind, layer or block; `[]` by default"),
    ("freeze", "layers and blocks that training does not change; `[]` by default"),
    ("clip_norm", "the gradient of the whole network is shortened to this length; not by default"),
    ("accumulate", "batches whose gradients make one step; 1 by default"),
    ("average", "evaluation uses an average of the weights; not by default"),
    ("start", "the first weights are those of another run; drawn by default"),
    ("metrics", "what is measured besides the loss; `[]` by default"),
    ("batch", "rows in a step, or `all`; 32 by default"),
    ("epochs", "passes over the data, at most; 100 by default"),
    ("schedule", "how the learning rate changes; `constant` by default"),
    ("stop", "when training ends early; never by default"),
    ("select", "where `valid.…` is measured: `valid`, held-out rows, or `test`"),
    ("shuffle", "a new order of the rows each epoch; `true` by default"),
    ("last_batch", "a last batch that is not full: `keep` or `drop`; `keep` by default"),
    ("augment", "steps done to each training image; `[]` by default"),
    ("record", "what is kept while a network trains; nothing by default"),
];

/// Schedules, stop rules and records.
pub(super) const SCHEDULES: Lines = &[
    ("reduce_on_plateau", "lowers the learning rate when a monitored value no longer improves"),
    ("warm_up", "raises the learning rate for some epochs, then follows another schedule"),
    ("early_stop", "stops when a monitored value no longer improves"),
    ("ema", "after each step `decay` times the average plus `1 - decay` times the weights"),
    ("swa", "the mean of the weights at the ends of epochs, from epoch `start` on"),
    ("run", "the weights of another run; those of the layers in `except` are drawn; `whole = true` continues that run"),
    (
        "seeds",
        "one seed each for splits and samples, for first weights, and for the order of rows, augmentation and dropout",
    ),
    ("boundaries", "where units bend, every so many epochs or steps; of the first layers or of all"),
];

/// Settings of a data set.
pub(super) const DATA: Lines = &[
    ("url", "where it can be fetched"),
    ("sha256", "the checksum of what is fetched"),
    ("file", "its source"),
    ("target", "the target column: a name, a position counted from 0, or a list"),
    ("columns", "the feature columns; all others by default"),
    ("features", "how many features there are"),
    ("classes", "how many classes there are"),
    ("task", "`regression` or `classification`"),
    ("split", "which rows are for training: `random(train = 0.8)`, `predefined(…)` or `given`"),
    ("validation", "the share of the training rows that is held out to choose on; 0.2 by default"),
    ("standardize", "`none`, `features` or `all`"),
    ("sample", "so many rows are drawn first"),
    ("shape", "of images, as they are kept"),
    ("transform", "steps done to every image"),
    ("normalize", "what becomes of pixels: `none`, `centre`, `channels` or `channels(…)`"),
];

/// Sources.
pub(super) const SOURCES: Lines = &[
    ("table", "a table of text: CSV and the like"),
    ("npy", "arrays of NumPy: inputs and targets"),
    ("npz", "an archive of arrays of NumPy"),
    ("formula", "points of a formula, with noise"),
    ("images", "folders of JPEG and PNG files, a folder a class"),
    ("batches", "CIFAR's pickled or binary batches, or archives of arrays"),
    ("idx", "the files of the MNIST family"),
    ("shapes", "rendered shapes, which need no download"),
];

/// Steps on images.
pub(super) const STEPS: Lines = &[
    ("horizontal_flip", "mirrors with probability 1/2"),
    ("random_crop", "a window anywhere, with `pad` zeros around the image"),
    ("center_crop", "the window in the middle"),
    ("resize", "to this size; the aspect ratio is not kept"),
    ("resize_shorter", "the shorter side to this size; the aspect ratio is kept"),
    ("random_resize", "to a size drawn between two"),
    ("lighting", "moves colours along ImageNet's principal components"),
];

/// What a kind of parameter has values for.
pub(super) fn kind(word: &str) -> &'static str {
    match word {
        "weight" => "one for each input of each unit",
        "angles" => "one less for each unit",
        "unit" => "one for each unit",
        "offset" => "one for each unit; 0 with `bias = false`",
        "layer" => "one",
        "feature" => "one for each feature of the input",
        "position" => "one for each position of the input",
        _ => "",
    }
}
