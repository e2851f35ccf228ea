//! "Did you mean": the known name that is nearest to a misspelt one.

/// The name with the fewest letters to change, if that is at most a third of the letters (and at least one may be wrong).
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wanted.to_lowercase();
    let far = (wanted.chars().count() / 3).max(1);
    let near = names.map(|name| (distance(&lower, &name.to_lowercase()), name));
    near.filter(|(distance, _)| *distance <= far).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Levenshtein's distance: letters to insert, delete or replace. Names are cut at 64 letters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_slip_and_not_just_any_word() {
        let names = ["price", "rooms", "Age"];
        assert_eq!(nearest("prise", names.into_iter()), Some("price"));
        assert_eq!(nearest("age", names.into_iter()), Some("Age"));
        assert_eq!(nearest("latitude", names.into_iter()), None);
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }
}
