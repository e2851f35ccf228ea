//! The paper's numbers: `paper.json`, embedded, each number with its place in the paper or in its code.

use gmpc_runtime::failure::Failure;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

const NUMBERS: &str = include_str!("paper.json");

/// A table or figure that experiments stand behind.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// `Table 1: regression on seven UCI sets, test RMSE`
    pub title: String,
    /// Which of [`experiment`]'s files.
    pub experiment: String,
    /// The data set, where it is no axis.
    #[serde(default)]
    pub data: Option<String>,
    /// Parameterizations in the paper's order.
    pub params: Vec<String>,
    /// Other axes, as of a comparison.
    #[serde(default)]
    pub over: Vec<(String, Vec<String>)>,
    /// Runs of each cell.
    pub repeats: u32,
    /// What is set in the file.
    #[serde(default)]
    pub set: Vec<(String, String)>,
    /// What is compared, the first one foremost.
    pub metrics: Vec<Metric>,
    /// Quantities of epochs that the figure shows.
    #[serde(default)]
    pub curves: Vec<String>,
    /// Are boundaries recorded?
    #[serde(default)]
    pub records: bool,
    /// A rate at which all parameterizations are run once more.
    #[serde(default)]
    pub common_rate: Option<f64>,
    /// What the paper ran, sentences.
    pub ran: Vec<String>,
    /// The paper's numbers; those that are not known are not there.
    pub numbers: Vec<Number>,
    /// What the paper says in words.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// Known disagreements between the paper, its code and this program, sentences.
    pub known: Vec<String>,
}

/// A compared quantity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// `test.top1`
    pub name: String,
    /// Does the paper tell it in percent?
    #[serde(default)]
    pub percent: bool,
}

/// A number of the paper.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// `gmp + mn`
    pub param: String,
    /// The value of the other axis, where there is one.
    #[serde(default)]
    pub over: Option<String>,
    /// `test.top1`
    pub metric: String,
    /// In percent where the metric is.
    pub mean: f64,
    /// As the paper has it.
    #[serde(default)]
    pub stderr: Option<f64>,
    /// How many runs it is of; `None` where the paper does not say.
    #[serde(default)]
    pub runs: Option<u32>,
    /// A key of [`sources`].
    pub source: String,
}

/// What the paper says in words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// A sentence.
    pub text: String,
    /// A key of [`sources`].
    pub source: String,
}

/// Figure 1: nothing is trained for it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureOne {
    /// As of an [`Item`].
    pub title: String,
    /// The unit.
    pub unit: Unit,
    /// What is added to every parameter.
    pub eps: Vec<f64>,
    /// Directions after each eps, degrees.
    pub direction_degrees: Expected,
    /// Signed distances from the origin after each eps.
    pub lambda: Expected,
    /// As of an [`Item`].
    pub ran: Vec<String>,
    /// As of an [`Item`].
    pub known: Vec<String>,
}

/// Figure 1's unit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// One number an input.
    pub weight: Vec<f64>,
    /// b
    pub offset: f64,
    /// A key of [`sources`].
    pub source: String,
    /// Where it comes from.
    pub how: String,
}

/// Numbers for each of Figure 1's perturbations.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Standard parameterization.
    pub sp: Vec<f64>,
    /// Weight normalization.
    pub wn: Vec<f64>,
    /// Geometric parameterization.
    pub gmp: Vec<f64>,
    /// A key of [`sources`].
    pub source: String,
}

impl Expected {
    /// Of a parameterization, at a perturbation's place.
    #[must_use]
    pub fn at(&self, param: &str, place: usize) -> Option<f64> {
        let numbers = match param {
            "sp" => &self.sp,
            "wn" => &self.wn,
            "gmp" => &self.gmp,
            _ => return None,
        };
        numbers.get(place).copied()
    }
}

/// Figure 1.
///
/// # Errors
/// [`Failure::Bug`]: the embedded file is wrong, which a test excludes.
pub fn figure_1() -> Result<FigureOne, Failure> {
    part("fig1")
}

/// A table or another figure: `fig2`, `fig3`, `fig4`, `table1`, `table2`, `table3`.
///
/// # Errors
/// As [`figure_1`].
pub fn item(name: &str) -> Result<Item, Failure> {
    part(name)
}

/// What the words for sources mean.
///
/// # Errors
/// As [`figure_1`].
pub fn sources() -> Result<BTreeMap<String, String>, Failure> {
    part("sources")
}

/// The paper's authors, title and address.
///
/// # Errors
/// As [`figure_1`].
pub fn citation() -> Result<String, Failure> {
    part("paper")
}

pub(super) fn part<T: DeserializeOwned>(name: &str) -> Result<T, Failure> {
    let wrong = |error: serde_json::Error| Failure::Bug(format!("paper.json, {name}: {error}"));
    let mut all: Value = serde_json::from_str(NUMBERS).map_err(wrong)?;
    serde_json::from_value(all.get_mut(name).map(Value::take).unwrap_or_default()).map_err(wrong)
}

/// The text of an item's experiment: one of the files in `examples/`, which are part of the program.
#[must_use]
pub fn experiment(name: &str) -> Option<&'static str> {
    Some(match name {
        "levy" => include_str!("../../../../examples/levy.gmpnet"),
        "banana" => include_str!("../../../../examples/banana.gmpnet"),
        "uci" => include_str!("../../../../examples/uci.gmpnet"),
        "cifar10_vgg6" => include_str!("../../../../examples/cifar10_vgg6.gmpnet"),
        "vgg6" => include_str!("../../../../examples/vgg6.gmpnet"),
        "resnet34" => include_str!("../../../../examples/resnet34.gmpnet"),
        _ => return None,
    })
}

impl Item {
    /// The paper's number of a cell.
    #[must_use]
    pub fn number(&self, param: &str, over: &[(String, String)], metric: &str) -> Option<&Number> {
        let of = |number: &&Number| {
            let place = number.over.as_ref();
            number.param == param
                && number.metric == metric
                && place.is_none_or(|place| over.iter().any(|(_, value)| value == place))
        };
        self.numbers.iter().find(of)
    }
}
