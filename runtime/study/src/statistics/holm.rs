//! Many p values looked at together: Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979).

/// The corrected p values, in the order given. Those that are NaN stay so and do not count.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|k| !p[*k].is_nan()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let count = order.len();
    let (mut found, mut largest) = (vec![f64::NAN; p.len()], 0.0_f64);
    for (place, k) in order.into_iter().enumerate() {
        largest = largest.max(p[k] * (count - place) as f64).min(1.0);
        found[k] = largest;
    }
    found
}
