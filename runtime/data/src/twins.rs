//! Finds duplicate examples, in training and test part or in two classes, and features that equal the target or are
//! constant.
//!
//! A network can memorize its training examples. Metrics on test rows that are also training rows are therefore better
//! than on new rows. Some duplicates are normal, because measurements repeat, so only many of them are reported.

use super::Note;
use super::dataset::Examples;
use std::collections::{HashMap, HashSet};

/// Duplicate test rows of a table are reported from this share of the test rows on. Few of them are chance.
const MANY_ROWS: f64 = 0.1;
/// The same for images. Equal images are never chance, but public data sets contain smaller shares of them.
const MANY_IMAGES: f64 = 0.01;
/// Fewest rows for which a feature is compared with the target.
const ROWS: usize = 5;

/// Identifies an example: a hash of its numbers or of its image.
type Key = u128;

/// The note about test rows with the same features and targets as a training row. `None` if there are few.
pub(super) fn shared_rows(train: &Examples, test: &Examples, name: &str) -> Option<Note> {
    let [known, asked] = [train, test].map(keys);
    let known: HashSet<Key> = known.collect();
    let count = asked.filter(|key| known.contains(key)).count();
    let message = format!("{count} of {} test rows are training rows, too, number for number", test.rows);
    let note = Note::new("W0795", name, message);
    let help = "take repeated rows out, or count on better figures than new rows will have";
    (count > 1 && count as f64 >= MANY_ROWS * test.rows as f64).then(|| note.help(help))
}

fn keys(part: &Examples) -> impl Iterator<Item = Key> {
    let of = |values: &[f64], row: usize| -> Vec<u64> {
        let width = values.len() / part.rows.max(1);
        // Adding 0 turns -0 into 0, so that both get the same bits.
        values[row * width..][..width].iter().map(|value| (value + 0.0).to_bits()).collect()
    };
    (0..part.rows).map(move |row| mixed(of(&part.inputs, row).into_iter().chain(of(&part.targets, row))))
}

/// The notes about images that are in both training and test part, and about images that are in two classes. `keys` and
/// `classes` have one entry for each image of the set, `train` and `test` the positions of the images of a part.
pub(super) fn shared_images(keys: &[Key], classes: &[u32], train: &[u32], test: &[u32]) -> Vec<Note> {
    let many = |count: usize, of: usize| count > 0 && count as f64 >= MANY_IMAGES * of as f64;
    let mut notes = Vec::new();
    let known: HashSet<Key> = train.iter().map(|row| keys[*row as usize]).collect();
    let count = test.iter().filter(|row| known.contains(&keys[**row as usize])).count();
    if many(count, test.len()) {
        let message = format!("{count} of {} test images are training images, too", test.len());
        let help = "take them out of one of the two: figures on them say how well a network remembers";
        notes.push(Note::new("W0795", "the images", message).help(help));
    }
    let mut first: HashMap<Key, u32> = HashMap::with_capacity(keys.len());
    let differs = |(key, class): &(&Key, &u32)| *first.entry(**key).or_insert(**class) != **class;
    let count = keys.iter().zip(classes).filter(differs).count();
    if many(count, keys.len()) {
        let message = format!("{count} of {} images stand in another class once more", keys.len());
        notes.push(Note::new("W0796", "the images", message).help("take each out of the class it does not belong to"));
    }
    notes
}

/// Hashes numbers to 128 bits: two sums, mixed after every number. If the bits are as good as random, 10^12 pairs of
/// different examples have equal hashes with a probability of 2^-88. The hash is not cryptographic: nobody gains by a
/// collision.
pub(super) fn mixed(numbers: impl IntoIterator<Item = u64>) -> Key {
    let mut sums = [0x9e37_79b9_7f4a_7c15_u64, 0xc2b2_ae3d_27d4_eb4f];
    for number in numbers {
        for (sum, factor) in sums.iter_mut().zip([0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53]) {
            *sum = (*sum ^ number).wrapping_mul(factor);
            *sum ^= *sum >> 32;
        }
    }
    Key::from(sums[0]) << 64 | Key::from(sums[1])
}

/// The notes about features that equal a target in every training row, and about features that are constant in the
/// training rows (`constant`). `names` are the features' names, empty if the file has none.
pub(super) fn telling(part: &Examples, names: &[String], constant: &[usize], file: &str) -> Vec<Note> {
    let (features, outputs) = (part.inputs.len() / part.rows.max(1), part.targets.len() / part.rows.max(1));
    let called =
        |column: usize| names.get(column).map_or_else(|| format!("feature {}", column + 1), |n| format!("`{n}`"));
    let equal = |(column, output): &(usize, usize)| {
        let rows = part.inputs.chunks_exact(features).zip(part.targets.chunks_exact(outputs));
        part.rows >= ROWS
            // A constant feature equals a constant target by chance. It has its own note below.
            && !constant.contains(column)
            && rows.into_iter().all(|(x, y)| (x[*column] - y[*output]).abs() <= 0.0)
    };
    let pairs = (0..features).flat_map(|column| (0..outputs).map(move |output| (column, output)));
    let mut notes: Vec<Note> = pairs
        .filter(equal)
        .map(|(column, _)| {
            let message = format!("{} holds the numbers of the target, in every row to train on", called(column));
            let help = "leave it out with `columns = [...]`: of new rows nobody knows it";
            Note::new("W0797", file, message).help(help)
        })
        .collect();
    if !constant.is_empty() {
        let shown: Vec<String> = constant.iter().take(5).map(|column| called(*column)).collect();
        let dots = if constant.len() > 5 { ", …" } else { "" };
        let (has, becomes) = if constant.len() == 1 { ("has", "it becomes") } else { ("have", "they become") };
        let message = format!(
            "{}{dots} {has} one value in every row to train on, up to rounding: {becomes} 0, whatever a new row holds",
            shown.join(", ")
        );
        notes.push(Note::new("W0798", file, message).help("leave such columns out with `columns = [...]`"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(inputs: &[f64], targets: &[f64]) -> Examples {
        Examples { rows: targets.len(), inputs: inputs.to_vec(), targets: targets.to_vec(), ..Examples::default() }
    }

    fn codes(notes: impl IntoIterator<Item = Note>) -> Vec<&'static str> {
        notes.into_iter().map(|note| note.code).collect()
    }

    #[test]
    fn test_rows_that_are_trained_on_are_told_where_they_are_many() {
        let train = part(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[0.0, 1.0, 2.0]);
        let message = |test: &Examples| shared_rows(&train, test, "a").map(|note| note.message);
        let told = message(&part(&[3.0, 4.0, 7.0, 8.0, 1.0, 2.0], &[1.0, 2.0, -0.0]));
        assert_eq!(told.as_deref(), Some("2 of 3 test rows are training rows, too, number for number"));
        // The same features with another target are another measurement.
        assert_eq!(message(&part(&[3.0, 4.0, 5.0, 6.0], &[1.5, 2.5])), None);
        assert_eq!(message(&part(&[3.0, 4.0, 7.0, 8.0], &[1.0, 2.0])), None, "one row repeats by chance");
    }

    #[test]
    fn images_in_two_parts_and_in_two_classes_are_told() {
        let keys: Vec<Key> = [1_u64, 2, 3, 1, 2].map(|n| mixed([n])).to_vec();
        let notes = shared_images(&keys, &[0, 0, 1, 1, 0], &[0, 1, 2], &[3, 4]);
        let messages: Vec<&str> = notes.iter().map(|note| note.message.as_str()).collect();
        let two = ["2 of 2 test images are training images, too", "1 of 5 images stand in another class once more"];
        assert_eq!(messages, two);
        assert!(shared_images(&keys, &[0, 0, 1, 0, 0], &[0, 1], &[2]).is_empty());
        let mut many: Vec<Key> = (0..1000).map(|n| mixed([n])).collect();
        many[999] = many[0];
        assert!(
            shared_images(&many, &[0; 1000], &(0..500).collect::<Vec<_>>(), &(500..1000).collect::<Vec<_>>())
                .is_empty()
        );
    }

    #[test]
    fn features_that_say_everything_or_nothing_are_told() {
        let names = ["a", "b"].map(String::from);
        let inputs = [1.0, 7.0, 2.0, 7.0, 3.0, 7.0, 4.0, 7.0, 5.0, 7.0];
        let same = part(&inputs, &[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(codes(telling(&same, &names, &[1], "f")), ["W0797", "W0798"]);
        let other = part(&inputs, &[1.0, 2.0, 3.0, 4.0, 6.0]);
        let notes = telling(&other, &names, &[1], "f");
        assert_eq!(notes.len(), 1);
        assert!(notes[0].message.starts_with("`b` has one value in every row to train on"), "{}", notes[0].message);
        assert!(telling(&other, &names, &[], "f").is_empty());
    }
}
