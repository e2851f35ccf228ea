//! Colours by class, for light and for dark background. Lines have a contrast of at least 3 to their background (WCAG
//! 2.1).

use std::fmt::Write;

/// The paper's colours for its methods (Figures 1 and 2), then ten general colours, then colours with a special
/// purpose.
const PALETTE: [(&str, &str, &str); 30] = [
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
    ("c-ground", "#ffffff", "#1d1f23"),
    ("c-level0", "#96bee6", "#1d4a75"),
    ("c-level1", "#c0d8f1", "#23405c"),
    ("c-level2", "#f4f3f0", "#2a2d31"),
    ("c-level3", "#f9d6bb", "#573a26"),
    ("c-level4", "#f3b88c", "#754a24"),
];

/// Number of the paper's methods at the beginning of the list.
const METHODS: usize = 6;
/// Number of general colours.
const WHEEL: usize = 10;

/// The colour of a class on light background; black for an unknown class.
#[must_use]
pub fn light(class: &str) -> &'static str {
    PALETTE.iter().find(|(known, ..)| *known == class).map_or("#1b1b1b", |(_, light, _)| light)
}

/// A class for each parameterization. The paper's methods keep the paper's colours; others get the next free general
/// colour. A colour of the paper goes to another parameterization only if no other colour is left.
#[must_use]
pub fn assigned<'a>(params: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let own = |param: &str| format!("c-{}", param.trim_end_matches('*').replace(" + ", "-"));
    let known = || PALETTE.iter().take(METHODS).map(|(class, ..)| *class);
    let mut classes: Vec<Option<String>> = Vec::new();
    for param in params {
        let class = Some(own(param)).filter(|own| known().any(|known| known == own));
        classes.push(class.filter(|class| !classes.contains(&Some(class.clone()))));
    }
    for index in 0..classes.len() {
        if classes[index].is_some() {
            continue;
        }
        let free = |class: &String| !classes.iter().flatten().any(|taken| light(taken) == light(class));
        let apart = |class: &String| !known().any(|known| light(known) == light(class));
        let wheel = || (0..WHEEL).map(|k| format!("c{k}"));
        let next = wheel().find(|class| free(class) && apart(class)).or_else(|| wheel().find(free));
        classes[index] = Some(next.unwrap_or_else(|| format!("c{}", index % WHEEL)));
    }
    classes.into_iter().flatten().collect()
}

/// The page's style sheet for these classes, for light and dark background and for print.
#[must_use]
pub fn style() -> String {
    let (mut bright, mut dark) = (String::new(), String::new());
    for (class, on_light, on_dark) in PALETTE {
        let _ = write!(bright, ".{class}{{--c:{on_light}}}");
        let _ = write!(dark, ".{class}{{--c:{on_dark}}}");
    }
    format!("{bright}\n@media screen and (prefers-color-scheme: dark){{{dark}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_methods_keep_their_colours_whatever_stands_before_them() {
        let classes = assigned(["mine", "gmp", "wn", "yours", "gmp"]);
        assert_eq!(classes[1..3], ["c-gmp", "c-wn"]);
        let mut colours: Vec<&str> = classes.iter().map(|class| light(class)).collect();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), 5, "{classes:?}");
        assert!(PALETTE.iter().take(METHODS).all(|(_, colour, _)| *colour != light(&classes[0])), "{classes:?}");
    }
}
