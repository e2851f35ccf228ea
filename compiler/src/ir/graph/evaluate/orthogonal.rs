//! Matrices made orthogonal, for initial values.
//!
//! The modified Gram-Schmidt method, each column twice: Giraud, Langou and Rozloznik, "The loss of orthogonality in the
//! Gram-Schmidt orthogonalization process", 2005, show that two passes are enough.

use super::Tensor;

/// [`crate::ir::graph::Op::Orthogonal`]. Columns that depend on others become zero.
pub(super) fn orthogonal(x: &Tensor) -> Vec<f64> {
    let (rows, columns) = (x.shape[0], x.shape[1]);
    let tall = rows >= columns;
    // Vectors are made orthogonal one after another: the columns, or the rows if these are fewer.
    let (count, length) = if tall { (columns, rows) } else { (rows, columns) };
    let at = |vector: usize, i: usize| if tall { i * columns + vector } else { vector * columns + i };
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    for vector in 0..count {
        let mut own: Vec<f64> = (0..length).map(|i| x.data[at(vector, i)]).collect();
        let before = dot(&own, &own).sqrt();
        for _ in 0..2 {
            for other in &vectors {
                let along = dot(&own, other);
                own.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
        }
        let left = dot(&own, &own).sqrt();
        // What is left of a dependent vector is rounding alone.
        let factor = if left > 1e-12 * before { 1.0 / left } else { 0.0 };
        own.iter_mut().for_each(|a| *a *= factor);
        vectors.push(own);
    }
    let mut result = vec![0.0; x.data.len()];
    for (vector, own) in vectors.iter().enumerate() {
        own.iter().enumerate().for_each(|(i, value)| result[at(vector, i)] = *value);
    }
    result
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::{Tensor, dot, orthogonal};

    #[test]
    fn the_fewer_vectors_become_orthonormal() {
        for [rows, columns] in [[5, 3], [3, 5], [4, 4], [1, 3]] {
            let data: Vec<f64> = (0..rows * columns).map(|i| ((i * i + 1) as f64).sin()).collect();
            let found = orthogonal(&Tensor { shape: vec![rows, columns], data: data.clone() });
            let vector = |of: &[f64], v: usize| -> Vec<f64> {
                let all = of.iter().enumerate();
                let own = all.filter(|(i, _)| if rows >= columns { i % columns == v } else { i / columns == v });
                own.map(|(_, value)| *value).collect()
            };
            let count = rows.min(columns);
            for a in 0..count {
                for b in 0..count {
                    let expected = f64::from(u8::from(a == b));
                    assert!((dot(&vector(&found, a), &vector(&found, b)) - expected).abs() < 1e-14);
                }
            }
            assert!(dot(&vector(&found, 0), &vector(&data, 0)) > 0.0, "the first keeps its direction");
        }
    }

    #[test]
    fn what_depends_on_others_is_zero() {
        let found = orthogonal(&Tensor { shape: vec![3, 2], data: vec![1.0, 2.0, 2.0, 4.0, 2.0, 4.0] });
        assert_eq!([found[1], found[3], found[5]], [0.0; 3]);
    }
}
