//! What is compared, and the requests that follow from it.

mod draws;
mod ranges;

pub use draws::Drawn;
pub use ranges::{Range, Values, values};

use super::Shard;
use crate::failure::{Failure, Message};
use crate::task::experiment::Request;
use gmpc_compiler::ir::experiment::Seeds;
use gmpc_grammar::similar::nearest;

/// The axes of a comparison, and what is made of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Axes {
    /// `--param sp,gmp`; empty: the file's own.
    pub params: Vec<String>,
    /// `--over KEY=V1,V2`, each an axis.
    pub over: Vec<(String, Vec<String>)>,
    /// `--random 40` of the axes that are ranges: points drawn at random instead of a grid.
    pub drawn: Option<Drawn>,
    /// `--repeats 10`: runs of each cell, with seeds from the file's upwards; at least 1.
    pub repeats: u32,
    /// `test.rmse`; by default the file's first metric on the test rows.
    pub metric: Option<String>,
    /// `--choose KEY`: axes whose value is chosen for each parameterization, on rows that one may choose on.
    pub choose: Vec<String>,
    /// `--halve 3`: of what is chosen from, a third goes on at each rung; at least 2.
    pub halve: Option<u32>,
    /// `--baseline sp`: what every other parameterization is compared with, seed by seed.
    pub baseline: Option<String>,
    /// `--shard 3/16`: which part of the runs this process does.
    pub shard: Option<Shard>,
}

impl Default for Axes {
    /// The file as it is, once.
    fn default() -> Self {
        Axes {
            params: vec![],
            over: vec![],
            drawn: None,
            repeats: 1,
            metric: None,
            choose: vec![],
            halve: None,
            baseline: None,
            shard: None,
        }
    }
}

impl Axes {
    /// Refuses axes that would not compare what they seem to.
    ///
    /// # Errors
    /// [`Failure::Usage`]: an axis of seeds or of parameterizations, one without values, one that stands twice or is set to one
    /// value besides, the same value twice, a decimal comma; something to choose that is no axis.
    pub(super) fn check(&self, set: &[(String, String)]) -> Result<(), Failure> {
        let refuse = |what: String, help: String| Err(refused(what, help));
        self.check_choice()?;
        if let Some(twice) = repeated(self.params.iter()) {
            return refuse(format!("`--param` names `{twice}` twice"), "name each parameterization once".into());
        }
        if set.iter().any(|(key, _)| key == "param") && !self.params.is_empty() {
            return refuse("`--param` and `--set param=…` say two things".into(), "leave one of them out".into());
        }
        // Lists and ranges together: one key in both is an axis that stands twice.
        if let Some(twice) = repeated(self.keys()) {
            return refuse(
                format!("`--over {twice}` stands twice"),
                format!("write its values in one: `--over {twice}=A,B`"),
            );
        }
        for (key, values) in &self.over {
            if key == "seed" {
                let what = "`--over seed=…` compares nothing: each run of a cell has a seed of its own";
                return refuse(what.into(), "write `--repeats N` for N seeds from `--seed` upwards".into());
            }
            if key == "param" {
                let what = "`--over param=…` is no axis: parameterizations have one of their own";
                return refuse(what.into(), format!("write `--param {}`", values.join(",")));
            }
            if values.is_empty() {
                let what = format!("`--over {key}=` names no value");
                return refuse(what, format!("write the values after it, parted by commas: `--over {key}=A,B`"));
            }
            if let Some((_, value)) = set.iter().find(|(known, _)| known == key) {
                let what = format!("`{key}` is an axis and set to `{value}` at the same time");
                return refuse(what, format!("leave `--set {key}=…` out, or `--over {key}=…`"));
            }
            if let Some(number) = decimal_comma(values) {
                let what = format!("`--over {key}={}` has a decimal comma", values.join(","));
                return refuse(what, format!("a number has a point: `{number}`; commas part values"));
            }
            if let Some(twice) = repeated(values.iter()) {
                return refuse(
                    format!("`--over {key}=…` has the value `{twice}` twice"),
                    "name each value once".into(),
                );
            }
        }
        // Ranges once more: they have no values yet, so only what concerns their key can be wrong.
        for (key, _) in self.drawn.iter().flat_map(|drawn| &drawn.ranges) {
            if key == "seed" {
                let what = "`--over seed=…` compares nothing: each run of a cell has a seed of its own";
                return refuse(what.into(), "write `--repeats N` for N seeds from `--seed` upwards".into());
            }
            if let Some((_, value)) = set.iter().find(|(known, _)| known == key) {
                let what = format!("`{key}` is an axis and set to `{value}` at the same time");
                return refuse(what, format!("leave `--set {key}=…` out, or `--over {key}=…`"));
            }
        }
        Ok(())
    }

    /// Every axis but that of parameterizations.
    fn keys(&self) -> impl Iterator<Item = &String> {
        let drawn = self.drawn.iter().flat_map(|drawn| &drawn.ranges).map(|(key, _)| key);
        self.over.iter().map(|(key, _)| key).chain(drawn)
    }

    /// What is chosen has to be an axis, once.
    fn check_choice(&self) -> Result<(), Failure> {
        if let Some(twice) = repeated(self.choose.iter()) {
            return Err(refused(format!("`--choose {twice}` stands twice"), "name each axis once"));
        }
        if self.choose.iter().any(|key| key == "data") {
            let help = "leave it out: every data set has a row of its own";
            return Err(refused("`--choose data` would choose the easiest data set", help));
        }
        for key in &self.choose {
            if self.keys().any(|known| known == key) {
                continue;
            }
            let known: Vec<&str> = self.keys().map(String::as_str).collect();
            let help = match nearest(key, known.iter().copied()).or_else(|| ending(key, &known)) {
                Some(near) => format!("did you mean `--choose {near}`?"),
                None if known.is_empty() => format!("give the values to choose from: `--over {key}=A,B`"),
                None => format!("choose one of {}", known.join(", ")),
            };
            return Err(refused(format!("`--choose {key}` names no axis of `--over`"), help));
        }
        Ok(())
    }

    /// The baseline as the parameterizations have it: `gmp+mn` is `gmp + mn`.
    ///
    /// # Errors
    /// [`Failure::Usage`]: it is none of them.
    pub(super) fn baseline_of(&self, params: &[String]) -> Result<Option<String>, Failure> {
        let Some(wanted) = &self.baseline else { return Ok(None) };
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        if let Some(found) = params.iter().find(|param| bare(param) == bare(wanted)) {
            return Ok(Some(found.clone()));
        }
        let all: Vec<String> = params.iter().map(|param| bare(param)).collect();
        let near = nearest(&bare(wanted), all.iter().map(String::as_str));
        let help = match near.and_then(|near| params.iter().find(|param| bare(param) == near)) {
            Some(near) => format!("did you mean `--baseline \"{near}\"`?"),
            None => format!("name one of those that are compared: {}", params.join(", ")),
        };
        Err(refused(format!("`--baseline {wanted}` is not among the parameterizations that are compared"), help))
    }
}

/// The one name whose last word is this one: `lr` for `train.optimizer.lr`.
fn ending<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let mut found = known.iter().filter(|name| name.rsplit('.').next() == word.rsplit('.').next());
    found.next().filter(|_| found.next().is_none()).copied()
}

/// A comparison that would not compare what it seems to.
pub(super) fn refused(what: impl Into<String>, help: impl Into<String>) -> Failure {
    Failure::Usage(Message::new(what).code("E0812").help(help))
}

fn repeated<'a>(names: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let mut known = std::collections::BTreeSet::new();
    names.into_iter().find(|name| !known.insert(*name))
}

/// `0` and `01` side by side are `0,01` that was meant as one number: nobody writes a whole number with a zero before it.
fn decimal_comma(values: &[String]) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pairs = values.iter().zip(values.iter().skip(1));
    let mut meant = pairs.filter(|(whole, part)| {
        let (mantissa, exponent) = part.split_once(['e', 'E']).unwrap_or((part, "0"));
        let exponent = exponent.trim_start_matches(['-', '+']);
        let odd = mantissa.starts_with('0') && mantissa.len() > 1;
        digits(whole.trim_start_matches(['-', '+'])) && odd && digits(mantissa) && digits(exponent)
    });
    meant.next().map(|(whole, part)| format!("{whole}.{part}"))
}

/// Every parameterization at every value of the other axes; the parameterization changes fastest, then the points that are
/// drawn, the first axis slowest.
pub(super) fn combinations(params: &[String], axes: &Axes) -> Vec<(String, Vec<(String, String)>)> {
    let mut points: Vec<Vec<(String, String)>> = vec![vec![]];
    for (key, values) in &axes.over {
        let with = |point: &Vec<(String, String)>, value: &String| {
            let mut point = point.clone();
            point.push((key.clone(), value.clone()));
            point
        };
        points = points.iter().flat_map(|point| values.iter().map(move |value| with(point, value))).collect();
    }
    if let Some(drawn) = &axes.drawn {
        let draws = drawn.points();
        points = points.iter().flat_map(|p| draws.iter().map(|draw| [&p[..], &draw[..]].concat())).collect();
    }
    points.iter().flat_map(|point| params.iter().map(|param| (param.clone(), point.clone()))).collect()
}

/// Every axis with its values: of those that are drawn, the draws in their order.
pub(super) fn all_values(axes: &Axes) -> Vec<(String, Vec<String>)> {
    let mut all = axes.over.clone();
    if let Some(drawn) = &axes.drawn {
        let points = drawn.points();
        let column = |k: usize| points.iter().filter_map(|point| Some(point.get(k)?.1.clone())).collect();
        all.extend(drawn.ranges.iter().enumerate().map(|(k, (key, _))| (key.clone(), column(k))));
    }
    all
}

/// The request of one run. The axes' values come after the request's own, so they win.
pub(super) fn narrowed(
    request: &Request,
    axes: &Axes,
    param: &str,
    over: &[(String, String)],
    seed: Option<Seeds>,
) -> Request {
    let mut request = request.clone();
    if !axes.params.is_empty() {
        request.overrides.param = Some(param.to_string());
    }
    request.overrides.set.extend_from_slice(over);
    request.overrides.seed = seed.or(request.overrides.seed);
    request
}

/// Splits `sp,gmp(init = he_normal, scale = 2),"a,b"` at the commas outside of brackets and quotes; blanks around are dropped.
#[must_use]
pub fn split_list(text: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0_i32, false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if c != ',' || quoted || depth > 0 => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts.iter().map(|part| part.trim().to_string()).filter(|part| !part.is_empty()).collect()
}
