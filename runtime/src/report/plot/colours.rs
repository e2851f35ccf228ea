//! Colours by class, each for light and for dark ground. Lines have a contrast of at least 3 to their ground (WCAG 2.1).

use std::fmt::Write;

/// The paper's colours for its methods (figures 1 and 2), then a wheel, then what is no series.
const PALETTE: [(&str, &str, &str); 29] = [
    ("c-sp", "#d62728", "#ff6b61"),
    ("c-wn", "#2a8c2a", "#55c455"),
    ("c-bn", "#c25e00", "#ff9f40"),
    ("c-gmp", "#1f77b4", "#5ab0f0"),
    ("c-wn-mbn", "#6b8e00", "#b5d33d"),
    ("c-gmp-mn", "#7b4bb3", "#c19bf5"),
    ("c0", "#1f77b4", "#5ab0f0"),
    ("c1", "#c25e00", "#ff9f40"),
    ("c2", "#2a8c2a", "#55c455"),
    ("c3", "#d62728", "#ff6b61"),
    ("c4", "#7b4bb3", "#c19bf5"),
    ("c5", "#8c564b", "#d09a8d"),
    ("c6", "#c2429f", "#f28fd6"),
    ("c7", "#5f6b73", "#a9b7c0"),
    ("c8", "#80800a", "#d0d04a"),
    ("c9", "#0e8494", "#3fc9d8"),
    ("c-ink", "#1b1b1b", "#f0f0f0"),
    ("c-soft", "#7a7a7a", "#9a9a9a"),
    ("c-before", "#8c564b", "#cdb596"),
    ("c-row", "#c0392b", "#ff8a7a"),
    ("c-class0", "#1e50a0", "#8fb8ff"),
    ("c-class1", "#962814", "#ff9a80"),
    ("c-star", "#e00000", "#ff5050"),
    ("c-edge", "#1b1b1b", "#f0f0f0"),
    ("c-level0", "#96bee6", "#1d4a75"),
    ("c-level1", "#c0d8f1", "#23405c"),
    ("c-level2", "#f4f3f0", "#2a2d31"),
    ("c-level3", "#f9d6bb", "#573a26"),
    ("c-level4", "#f3b88c", "#754a24"),
];

/// How many classes the wheel has.
const WHEEL: usize = 10;

/// A class's colour on light ground; black for a class that is not known.
#[must_use]
pub fn light(class: &str) -> &'static str {
    PALETTE.iter().find(|(known, ..)| *known == class).map_or("#1b1b1b", |(_, light, _)| light)
}

/// A class for each parameterization: its own, or, where another run has that already, the next free one of the wheel.
#[must_use]
pub fn assigned<'a>(params: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for (place, param) in params.into_iter().enumerate() {
        let own = format!("c-{}", param.trim_end_matches('*').replace(" + ", "-"));
        let known = PALETTE.iter().take(6).any(|(class, ..)| *class == own);
        let free = |class: &String| !taken.iter().any(|taken| light(taken) == light(class));
        let wheel = || (0..WHEEL).map(|k| format!("c{k}")).find(|class| free(class));
        let class = Some(own).filter(|own| known && free(own)).or_else(wheel);
        taken.push(class.unwrap_or_else(|| format!("c{}", place % WHEEL)));
    }
    taken
}

/// The page's style sheet for these classes, on light ground, on dark, and on paper.
#[must_use]
pub fn style() -> String {
    let (mut bright, mut dark) = (String::new(), String::new());
    for (class, on_light, on_dark) in PALETTE {
        let _ = write!(bright, ".{class}{{--c:{on_light}}}");
        let _ = write!(dark, ".{class}{{--c:{on_dark}}}");
    }
    format!("{bright}\n@media screen and (prefers-color-scheme: dark){{{dark}}}\n")
}
