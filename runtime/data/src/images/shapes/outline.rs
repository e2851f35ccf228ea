//! Ten outlines as polygons in a circle of radius 1.

/// A closed polygon.
pub(super) struct Outline(Vec<[f64; 2]>);

/// A name, and the function that makes the outline.
pub(super) type Named = (&'static str, fn() -> Outline);

/// The outlines in the order of the classes.
pub(super) const OUTLINES: [Named; 10] = [
    ("disc", disc),
    ("square", square),
    ("triangle", triangle),
    ("star", star),
    ("cross", cross),
    ("half disc", half_disc),
    ("bar", bar),
    ("arrow", arrow),
    ("corner", corner),
    ("heart", heart),
];

impl Outline {
    /// True if a point lies inside: a ray to the right crosses an odd number of edges.
    pub(super) fn holds(&self, [x, y]: [f64; 2]) -> bool {
        let crosses =
            |[[ax, ay], [bx, by]]: [[f64; 2]; 2]| (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax);
        x * x + y * y < 1.3 && self.edges().filter(|&edge| crosses(edge)).count() % 2 == 1
    }

    /// The distance from a point to the nearest edge.
    pub(super) fn distance(&self, [x, y]: [f64; 2]) -> f64 {
        let to = |[[ax, ay], [bx, by]]: [[f64; 2]; 2]| {
            let (dx, dy) = (bx - ax, by - ay);
            let along = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            let (px, py) = (x - ax - along * dx, y - ay - along * dy);
            px * px + py * py
        };
        libm::sqrt(self.edges().map(to).fold(f64::INFINITY, f64::min))
    }

    fn edges(&self) -> impl Iterator<Item = [[f64; 2]; 2]> + '_ {
        let next = self.0.iter().cycle().skip(1);
        self.0.iter().zip(next).map(|(&a, &b)| [a, b])
    }
}

/// A point on a circle with this radius. `turn` goes from 0 to 1 for a full turn.
fn around(turn: f64, radius: f64) -> [f64; 2] {
    let angle = turn * std::f64::consts::TAU;
    [radius * libm::cos(angle), radius * libm::sin(angle)]
}

fn ring(corners: u32, radius: impl Fn(u32) -> f64) -> Outline {
    Outline((0..corners).map(|i| around(f64::from(i) / f64::from(corners), radius(i))).collect())
}

fn disc() -> Outline {
    ring(20, |_| 0.9)
}

fn square() -> Outline {
    ring(4, |_| 1.1)
}

fn triangle() -> Outline {
    ring(3, |_| 1.1)
}

fn star() -> Outline {
    ring(10, |i| if i % 2 == 0 { 1.1 } else { 0.48 })
}

fn cross() -> Outline {
    let (arm, end) = (0.38, 1.0);
    Outline(vec![
        [arm, arm],
        [end, arm],
        [end, -arm],
        [arm, -arm],
        [arm, -end],
        [-arm, -end],
        [-arm, -arm],
        [-end, -arm],
        [-end, arm],
        [-arm, arm],
        [-arm, end],
        [arm, end],
    ])
}

fn half_disc() -> Outline {
    let points = (0..=12).map(|i| around(f64::from(i) / 24.0, 1.0));
    Outline(points.map(|[x, y]| [x, y - 0.4]).collect())
}

fn bar() -> Outline {
    Outline(vec![[1.0, 0.36], [-1.0, 0.36], [-1.0, -0.36], [1.0, -0.36]])
}

fn arrow() -> Outline {
    Outline(vec![[1.0, 0.0], [0.1, 0.85], [0.1, 0.34], [-1.0, 0.34], [-1.0, -0.34], [0.1, -0.34], [0.1, -0.85]])
}

fn corner() -> Outline {
    Outline(vec![[-0.8, -0.8], [0.9, -0.8], [0.9, -0.12], [-0.12, -0.12], [-0.12, 0.9], [-0.8, 0.9]])
}

/// The curve `x = sin^3 t` with the usual sum of cosines for `y`.
fn heart() -> Outline {
    let point = |i: u32| {
        let t = f64::from(i) / 24.0 * std::f64::consts::TAU;
        let (sine, cosine) = (libm::sin(t), |n: f64| libm::cos(n * t));
        [sine * sine * sine, -(13.0 * cosine(1.0) - 5.0 * cosine(2.0) - 2.0 * cosine(3.0) - cosine(4.0)) / 15.0]
    };
    Outline((0..24).map(point).collect())
}
