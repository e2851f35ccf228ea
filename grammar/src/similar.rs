//! "Did you mean …?": finds the most similar name.

/// Returns the candidate that is nearest to `word`, if it is near enough to be meant. Of several equally near candidates it is
/// the first.
///
/// The distance counts characters that are inserted, removed, replaced, or swapped with their neighbour. A candidate is near
/// enough with one such change in a short word, and one in three characters of a long word. Upper and lower case are equal.
///
/// # Source
/// Optimal string alignment: Damerau, "A technique for computer detection and correction of spelling errors", CACM 1964.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = word.to_lowercase().chars().take(LONGEST).collect();
    let permitted = (letters.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.filter(|c| *c != word) {
        let other: Vec<char> = candidate.to_lowercase().chars().take(LONGEST).collect();
        // If every character is changed, the words have nothing in common: `x` is not a misspelt `s`.
        let bound = permitted.min(letters.len().max(other.len()).saturating_sub(1));
        let slips = distance(&letters, &other);
        if slips <= bound && best.is_none_or(|(least, _)| slips < least) {
            best = Some((slips, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The number of characters that are compared. No real name is longer. It limits the quadratic time for hostile texts.
const LONGEST: usize = 64;

/// Returns the distance between two words. Each row holds the distances from one prefix of `a` to all prefixes of `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != y);
            let mut least = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near<'a>(word: &str, names: &[&'a str]) -> Option<&'a str> {
        nearest(word, names.iter().copied())
    }

    #[test]
    fn a_word_with_one_typing_error_is_found() {
        let names = ["model", "block", "train", "momentum", "relu"];
        assert_eq!(near("modle", &names), Some("model")); // swapped
        assert_eq!(near("blok", &names), Some("block")); // left out
        assert_eq!(near("trainn", &names), Some("train")); // doubled
        assert_eq!(near("ReLU", &names), Some("relu")); // capitals
        assert_eq!(near("momentun", &names), Some("momentum")); // replaced
    }

    #[test]
    fn a_different_word_is_not_suggested() {
        assert_eq!(near("banana", &["model", "block"]), None);
        assert_eq!(near("x", &["s", "w"]), None);
        assert_eq!(near("sgd", &["adam"]), None);
        assert_eq!(near("", &["a", "bn"]), None);
    }

    #[test]
    fn the_nearest_word_is_taken_and_the_first_of_equally_near_ones() {
        assert_eq!(near("mae", &["mse", "mat", "made"]), Some("mse"));
        assert_eq!(near("dropot", &["dropouts", "dropout"]), Some("dropout"));
    }
}
