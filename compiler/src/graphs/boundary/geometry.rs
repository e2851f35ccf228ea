//! One boundary in polar form.

/// The boundary of a unit: a hyperplane, given by its direction and its signed distance.
#[derive(Debug, Clone, PartialEq)]
pub struct Boundary {
    /// u = w / |w|, one number for each input. The unit is active on the side that it points to.
    pub direction: Vec<f64>,
    /// lambda = b / |w|: u . x + lambda = 0 on the boundary.
    pub offset: f64,
}

impl Boundary {
    /// The boundary of the pre-activation w . x + b. `None` if `w` is zero or not finite, because then there is no hyperplane.
    #[must_use]
    pub fn of(w: &[f64], b: f64) -> Option<Self> {
        // Weights are scaled first, so that squares of tiny weights do not underflow.
        let largest = w.iter().fold(0.0_f64, |largest, w| largest.max(w.abs()));
        let scaled: f64 = w.iter().map(|w| (w / largest) * (w / largest)).sum();
        let norm = largest * scaled.sqrt();
        let finite = norm.is_finite() && b.is_finite() && w.iter().all(|w| w.is_finite());
        (finite && norm > 0.0).then(|| Boundary { direction: w.iter().map(|w| w / norm).collect(), offset: b / norm })
    }

    /// Returns phi = -lambda u, the point of the boundary that is nearest to the origin.
    #[must_use]
    pub fn location(&self) -> Vec<f64> {
        self.direction.iter().map(|u| -self.offset * u).collect()
    }

    /// Returns |phi|, the distance of the boundary from the origin.
    #[must_use]
    pub fn radius(&self) -> f64 {
        self.offset.abs()
    }

    /// Returns the hyperspherical angles of the direction (paper, Eq. 6) in radians, one less than there are inputs. They are in
    /// [0, pi], except the last one, which is in (-pi, pi]. With a single input there are none: its direction is a sign.
    #[must_use]
    pub fn angles(&self) -> Vec<f64> {
        let u = &self.direction;
        let Some(last) = u.len().checked_sub(2) else { return Vec::new() };
        let mut angles = vec![0.0; last + 1];
        angles[last] = libm::atan2(u[last + 1], u[last]);
        let mut tail = u[last + 1].abs();
        for i in (0..last).rev() {
            tail = libm::hypot(tail, u[i + 1]);
            angles[i] = libm::atan2(tail, u[i]);
        }
        angles
    }
}

/// Returns the angle between two directions of length 1, in radians, 0 to pi. It is accurate for small angles too.
///
/// Source: Kahan, "How Futile are Mindless Assessments of Roundoff", 2006, section 12.
#[must_use]
pub fn turn(a: &[f64], b: &[f64]) -> f64 {
    let length = |sign: f64| a.iter().zip(b).map(|(a, b)| (a + sign * b) * (a + sign * b)).sum::<f64>().sqrt();
    2.0 * libm::atan2(length(-1.0), length(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn the_location_is_the_point_of_the_boundary_nearest_to_the_origin() {
        let (w, b) = ([3.0, -4.0], 10.0);
        let boundary = Boundary::of(&w, b).unwrap();
        let phi = boundary.location();
        assert!((phi[0] + 1.2).abs() < 1e-15 && (phi[1] - 1.6).abs() < 1e-15, "{phi:?}");
        assert!((w[0] * phi[0] + w[1] * phi[1] + b).abs() < 1e-12);
        assert!((boundary.radius() - 2.0).abs() < 1e-15);
        assert!((boundary.angles()[0] - libm::atan2(-4.0, 3.0)).abs() < 1e-15);
    }

    #[test]
    fn angles_bring_the_direction_back() {
        let w = [0.3, -1.2, 0.7, -0.1];
        let boundary = Boundary::of(&w, 0.0).unwrap();
        let t = boundary.angles();
        let sines = [1.0, t[0].sin(), t[0].sin() * t[1].sin(), t[0].sin() * t[1].sin() * t[2].sin()];
        let back = [t[0].cos(), sines[1] * t[1].cos(), sines[2] * t[2].cos(), sines[3]];
        for (a, b) in back.iter().zip(&boundary.direction) {
            assert!((a - b).abs() < 1e-15, "{back:?}");
        }
    }

    #[test]
    fn tiny_weights_have_a_boundary_and_zero_weights_have_none() {
        let boundary = Boundary::of(&[3e-200, 4e-200], 5e-200).unwrap();
        assert!((boundary.direction[0] - 0.6).abs() < 1e-15 && (boundary.offset - 1.0).abs() < 1e-15);
        assert_eq!(Boundary::of(&[0.0, 0.0], 1.0), None);
        assert_eq!(Boundary::of(&[f64::NAN, 1.0], 1.0), None);
    }

    #[test]
    fn the_angle_of_a_turn_is_exact_from_tiny_to_opposite() {
        let at = |angle: f64| [angle.cos(), angle.sin()];
        for angle in [1e-9, 1e-4, 1.0, 3.0, PI] {
            assert!((turn(&at(0.2), &at(0.2 + angle)) - angle).abs() < 1e-9 * angle + 1e-16, "{angle}");
        }
        assert_eq!(turn(&[1.0], &[-1.0]), PI);
    }
}
