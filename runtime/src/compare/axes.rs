//! What is compared, and the requests that follow from it.

use crate::request::Request;

/// The axes of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axes {
    /// `--param sp,gmp`; empty: the file's own.
    pub params: Vec<String>,
    /// `--over KEY=V1,V2`, each an axis.
    pub over: Vec<(String, Vec<String>)>,
    /// `--repeats 10`: runs of each cell, with seeds from the file's upwards; at least 1.
    pub repeats: u32,
    /// `test.rmse`; by default the file's first metric on the test rows.
    pub metric: Option<String>,
}

/// Every parameterization at every value of the other axes; the parameterization changes fastest, the first axis slowest.
pub(super) fn combinations(params: &[String], over: &[(String, Vec<String>)]) -> Vec<(String, Vec<(String, String)>)> {
    let mut points: Vec<Vec<(String, String)>> = vec![vec![]];
    for (key, values) in over {
        let with = |point: &Vec<(String, String)>, value: &String| {
            let mut point = point.clone();
            point.push((key.clone(), value.clone()));
            point
        };
        points = points.iter().flat_map(|point| values.iter().map(move |value| with(point, value))).collect();
    }
    points.iter().flat_map(|point| params.iter().map(|param| (param.clone(), point.clone()))).collect()
}

/// The request of one run. The axes' values come after the request's own, so they win.
pub(super) fn narrowed(
    request: &Request,
    axes: &Axes,
    param: &str,
    over: &[(String, String)],
    seed: Option<u64>,
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
