//! `reproduce rates`: the paper's claim that the geometric parameterization works at larger learning rates, put to the test.
//!
//! ```text
//! paper.json, "rates"    the rates, and the experiments: a part each
//! OUT/levy, OUT/uci …    a comparison each, with all of its runs
//! ```
//!
//! Every parameterization is trained at every rate. What is told of each: the range of rates that work, the sensitivity of Wortsman et
//! al. (2023), runs that failed; and over all data sets whether the differences are more than chance (`rates/verdict.rs`).

mod verdict;

pub use verdict::{Against, MEASURES, Measure, Set, Verdict, against, sets, verdict};

use super::paper::{Claim, part};
use gmpc_runtime::failure::{Failure, Message};
use gmpc_runtime::task::compare::{Axes, Kept, Step, compare, split_list};
use gmpc_runtime::task::experiment::Request;
use serde::Deserialize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What is run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Heading of the page.
    pub title: String,
    /// The axis.
    pub key: String,
    /// Its values, rising.
    pub rates: Vec<String>,
    /// The parameterization that the claim is about.
    pub of: String,
    /// One comparison each.
    pub parts: Vec<Part>,
    /// What is run, sentences.
    pub ran: Vec<String>,
    /// What the paper says.
    pub claims: Vec<Claim>,
    /// What this cannot tell, sentences.
    pub known: Vec<String>,
}

/// One experiment at all rates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// `uci`: what its folder is called.
    pub name: String,
    /// Which of the embedded files.
    pub experiment: String,
    /// Parameterizations.
    pub params: Vec<String>,
    /// Data sets, where there are several.
    #[serde(default)]
    pub data: Vec<String>,
    /// Seeds.
    pub repeats: u32,
    /// Are there rows that a rate may be chosen on?
    #[serde(default = "yes")]
    pub held_out: bool,
    /// What is set in the file.
    #[serde(default)]
    pub set: Vec<(String, String)>,
}

fn yes() -> bool {
    true
}

/// What a person asked for.
#[derive(Debug, Clone, Default)]
pub struct AskedRates {
    /// Seeds instead of the usual number.
    pub repeats: Option<u32>,
    /// These parameterizations only.
    pub params: Vec<String>,
    /// These parts only.
    pub only: Vec<String>,
    /// Settings, after the parts' own. That of the axis replaces the rates, that of `data` the data sets of a part that has several.
    pub set: Vec<(String, String)>,
}

/// The embedded description.
///
/// # Errors
/// As [`figure_1`](super::figure_1).
pub fn rates() -> Result<Rates, Failure> {
    part("rates")
}

impl Rates {
    /// The parts that are asked for.
    ///
    /// # Errors
    /// [`Failure::Usage`]: there is no such part.
    pub fn chosen(&self, asked: &AskedRates) -> Result<Vec<&Part>, Failure> {
        let known = || self.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(", ");
        if let Some(name) = asked.only.iter().find(|name| !self.parts.iter().any(|part| part.name == **name)) {
            let told = Message::new(format!("`--only {name}` is none of the experiments")).code("E0817");
            return Err(Failure::Usage(told.help(format!("name some of {}", known()))));
        }
        let wanted = |part: &&Part| asked.only.is_empty() || asked.only.contains(&part.name);
        Ok(self.parts.iter().filter(wanted).collect())
    }

    /// The axes of a part's comparison. Where rows are held out the best rate is chosen on them, so that test rows stay unseen.
    #[must_use]
    pub fn axes(&self, part: &Part, asked: &AskedRates) -> Axes {
        let set =
            |key: &str| asked.set.iter().rev().find(|(known, _)| known == key).map(|(_, value)| split_list(value));
        let data = if part.data.is_empty() { None } else { Some(set("data").unwrap_or_else(|| part.data.clone())) };
        let rates = set(&self.key).unwrap_or_else(|| self.rates.clone());
        let over = data.map(|data| ("data".to_string(), data)).into_iter().chain([(self.key.clone(), rates)]);
        let params = if asked.params.is_empty() { part.params.clone() } else { asked.params.clone() };
        let choose = if part.held_out { vec![self.key.clone()] } else { vec![] };
        Axes { params, over: over.collect(), repeats: asked.repeats.unwrap_or(part.repeats), choose, ..Axes::default() }
    }

    /// The request of a part; `own` is its file with a person's device, folders and seed.
    #[must_use]
    pub fn request(&self, part: &Part, asked: &AskedRates, own: &Request) -> Request {
        let mut request = own.clone();
        let is_axis = |key: &String| *key == self.key || (key == "data" && !part.data.is_empty());
        request.overrides.set =
            part.set.iter().chain(asked.set.iter().filter(|(key, _)| !is_axis(key))).cloned().collect();
        request
    }
}

/// Where and how runs are made.
#[derive(Clone, Copy)]
pub struct Running<'a> {
    /// The folder of all parts.
    pub out: &'a Path,
    /// At least 1.
    pub threads: usize,
    /// Ends everything early.
    pub stop: &'a AtomicBool,
}

/// Runs one part, or finds it run. `None` where `stop` came first.
///
/// # Errors
/// [`Failure::Data`]: a data set is not here; else as [`compare`].
pub fn run_part(
    rates: &Rates,
    part: &Part,
    asked: &AskedRates,
    own: &Request,
    running: Running<'_>,
    told: &mut dyn FnMut(&Step),
) -> Result<Option<Kept>, Failure> {
    let (request, axes) = (rates.request(part, asked, own), rates.axes(part, asked));
    super::present(&request, &axes)?;
    let folder = running.out.join(&part.name);
    let (comparison, _) = compare(&request, &axes, Some(&folder), running.threads, told, running.stop)?;
    if !comparison.complete {
        return Ok(None);
    }
    Ok(Some(Kept { name: Some(part.name.clone()), ..Kept::open(&folder)? }))
}

/// Sentences about everything in which this is not what the description says.
#[must_use]
pub fn changed(rates: &Rates, asked: &AskedRates) -> Vec<String> {
    let mut said = Vec::new();
    if !asked.only.is_empty() {
        let left: Vec<&str> =
            rates.parts.iter().filter(|part| !asked.only.contains(&part.name)).map(|part| part.name.as_str()).collect();
        said.push(format!("Without {}.", left.join(", ")));
    }
    said.extend(asked.repeats.map(|repeats| format!("{repeats} seeds of each.")));
    if !asked.params.is_empty() {
        said.push(format!("Only {}.", asked.params.join(", ")));
    }
    said.extend(asked.set.iter().map(|(key, value)| format!("{key} = {value}.")));
    said
}

#[cfg(test)]
mod tests;
