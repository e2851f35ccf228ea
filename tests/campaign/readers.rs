//! Damaged files: whatever stands in a file that gmpc reads, it says so or reads what was there before. Never a panic, never more
//! than 20 seconds, never more than 300 MB for a file of less than 4 MB, and never other figures without a word.

use super::shim::{Told, gmpc};
use super::{Dice, long};
use crate::support::write;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// Kilobytes that a command on small files may take.
const MOST: u64 = 300 << 10;

/// Damaged files of each kind.
fn rounds() -> u64 {
    long().unwrap_or(4)
}

/// Bytes changed as files are damaged in fact: bits that turned, pieces that are missing, repeated, zero or from elsewhere, ends
/// that are cut off; and as somebody would who means harm: sizes that are huge.
fn damaged(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut found = bytes.to_vec();
    let length = found.len();
    if length == 0 {
        return vec![0xff; 1 + dice.below(64)];
    }
    let place = dice.below(length);
    let piece = place..(place + 1 + dice.below(64)).min(length);
    match dice.below(9) {
        0 => found[place] ^= 1 << dice.below(8),
        1 => (0..1 + dice.below(16)).for_each(|_| {
            let place = dice.below(length);
            found[place] = dice.next().to_le_bytes()[0];
        }),
        2 => found.truncate(place),
        3 => drop(found.drain(piece)),
        4 => found[piece].fill(0),
        5 => {
            let copy = found[piece].to_vec();
            found.splice(place..place, copy);
        }
        6 => found[piece].fill(0xff),
        7 => {
            let large = [u64::MAX, 1 << 31, 1 << 40, 1 << 63, 0x7fff_ffff_ffff_ffff][dice.below(5)].to_le_bytes();
            let width = [4, 8][dice.below(2)];
            found.splice(place..(place + width).min(length), large[..width].iter().copied());
        }
        _ => {
            let numbers = ["-1", "1e308", "18446744073709551616", "null", "[[[[[[[[", "\"", "0.5", "NaN", "{}"];
            let digits = found.iter().position(|byte| byte.is_ascii_digit()).filter(|_| dice.below(2) == 0);
            let place = digits.unwrap_or(place);
            found.splice(place..=place, numbers[dice.below(numbers.len())].bytes());
        }
    }
    found
}

/// Holds a command on a damaged file to what is promised.
#[track_caller]
fn held(told: &Told, what: &str) {
    let (code, stderr) = (told.ran.code, &told.ran.stderr);
    assert!((0..=6).contains(&code), "{what}: exit code {code}\n{stderr}");
    assert!(
        code == 0 || stderr.contains("error[") || stderr.contains("error:"),
        "{what}: exit code {code}, and no word"
    );
    assert!(told.peak > 0 && told.peak < MOST, "{what}: {} kB", told.peak);
}

/// A finished run with every kind of file, and what commands say about it.
struct Subject {
    folder: TempDir,
    said: Vec<String>,
}

const COMMANDS: [&[&str]; 4] = [
    &["eval", "run"],
    &["predict", "run", "--input", "rows.csv"],
    &["convert", "run", "--param", "sp", "--output", "w.safetensors"],
    &["analyze", "run"],
];

impl Subject {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let rows: String = (0..40).map(|i| format!("{},{},{}\n", i % 7, i % 5, i % 3)).collect();
        write(folder.path(), "rows.csv", &format!("a,b,c\n{rows}"));
        let net = "param = gmp\ndata = table(\"rows.csv\", target = \"c\")\n\
                   model m { input -> dense(5) -> relu -> linear(1) }\n\
                   train { loss = mse  optimizer = adam(lr = 0.05)  batch = 8  epochs = 4  metrics = [rmse]\n\
                   stop = early_stop(valid.rmse, restore_best = true)  record = boundaries(layers = all) }\n";
        write(folder.path(), "net.gmpnet", net);
        let none = Path::new("");
        let train = ["train", "net.gmpnet", "--out", "run", "--save-every", "0", "--tensorboard", "--quiet"];
        assert_eq!(gmpc(folder.path(), &train, "", none).ran.code, 0);
        let said = COMMANDS.map(|command| gmpc(folder.path(), command, "", none).ran.expect(0).stdout).to_vec();
        Subject { folder, said }
    }
}

#[test]
fn damaged_files_of_a_run_are_told_or_make_no_difference() {
    let subject = Subject::new();
    let (folder, none) = (subject.folder.path(), Path::new(""));
    let mut dice = Dice(3);
    let files = [
        "run.json",
        "source.gmpnet",
        "best.safetensors",
        "last.safetensors",
        "result.json",
        "metrics.jsonl",
        "notes.jsonl",
        "data.json",
        "boundaries/dense1.npy",
        "states.npy",
        "events.out.tfevents.gmpc",
    ];
    let (mut count, mut refused) = (0, 0);
    for name in files {
        let path = folder.join("run").join(name);
        let whole = std::fs::read(&path).ok();
        for round in 0..rounds() {
            std::fs::write(&path, damaged(whole.as_deref().unwrap_or_default(), &mut dice)).unwrap();
            let which = dice.below(COMMANDS.len() + 2);
            let what = format!("{name}, round {round}, command {which}");
            let told = match COMMANDS.get(which) {
                Some(command) => gmpc(folder, command, "", none),
                None if which == COMMANDS.len() => gmpc(folder, &["report", "run", "-o", "page.html"], "", none),
                None => gmpc(folder, &["train", "--resume", "run", "--quiet"], "", none),
            };
            held(&told, &what);
            // What a record says of boundaries has no checksum: a number in it may be another one.
            let records = name.ends_with(".npy");
            if let (0, Some(said), false) = (told.ran.code, subject.said.get(which), records) {
                assert_eq!(&told.ran.stdout, said, "{what}: other figures without a word");
            }
            count += 1;
            refused += u64::from(told.ran.code != 0);
            if which > COMMANDS.len() {
                // It has gone on, and may have written any of the files.
                let train =
                    ["train", "net.gmpnet", "--out", "run", "--save-every", "0", "--tensorboard", "--quiet", "--force"];
                assert_eq!(gmpc(folder, &train, "", none).ran.expect(0).code, 0);
            }
            match &whole {
                Some(whole) => std::fs::write(&path, whole).unwrap(),
                None => std::fs::remove_file(&path).unwrap_or_default(),
            }
        }
    }
    println!("damaged files of a run: {count}, of which {refused} were refused");
}

#[test]
fn damaged_files_of_a_comparison_are_told() {
    let folder = tempdir().unwrap();
    let none = Path::new("");
    write(folder.path(), "tiny.gmpnet", crate::support::TINY);
    let compare = ["compare", "tiny.gmpnet", "--param", "sp,gmp", "--repeats", "2", "--out", "kept", "--quiet"];
    let expected = gmpc(folder.path(), &compare, "", none).ran.expect(0).stdout;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.path().join("kept")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().is_some_and(|name| name != "lock"));
    files.sort();
    let mut dice = Dice(4);
    for path in files {
        for round in 0..rounds().div_ceil(4) {
            let whole = std::fs::read(&path).unwrap();
            let bytes = damaged(&whole, &mut dice);
            std::fs::write(&path, &bytes).unwrap();
            let what = format!("{}, round {round}", path.display());
            let report = gmpc(folder.path(), &["report", "kept", "-o", "page.html"], "", none);
            held(&report, &what);
            let told = bytes == whole || report.ran.code != 0 || report.ran.stderr.contains("warning");
            assert!(told, "{what}: left out without a word");
            let again = gmpc(folder.path(), &compare, "", none);
            held(&again, &what);
            assert_eq!(again.ran.stdout, expected, "{what}: damaged outcomes are not used");
        }
    }
}

#[test]
fn damaged_files_of_the_language_are_told() {
    let folder = tempdir().unwrap();
    let mut dice = Dice(5);
    let examples = crate::support::root().join("examples");
    let mut seeds: Vec<PathBuf> = std::fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.retain(|path| path.extension().is_some_and(|ending| ending == "gmpnet"));
    seeds.sort();
    for round in 0..rounds() * 2 {
        let seed = &seeds[dice.below(seeds.len())];
        let bytes = damaged(&std::fs::read(seed).unwrap(), &mut dice);
        std::fs::write(folder.path().join("damaged.gmpnet"), bytes).unwrap();
        let what = format!("{}, round {round}", seed.display());
        held(&gmpc(folder.path(), &["check", "damaged.gmpnet"], "", Path::new("")), &what);
        let told = gmpc(folder.path(), &["fmt", "--check", "damaged.gmpnet"], "", Path::new(""));
        held(&told, &what);
    }
}

/// A picture as PNG, and JPEGs of every kind.
fn pictures(folder: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let preview = ["data", "info", "shapes32", "--preview", "sheet.png"];
    gmpc(folder, &preview, "", Path::new("")).ran.expect(0);
    let kinds = crate::support::root().join("runtime/data/src/images/jpeg/kinds");
    let mut found = vec![("png", std::fs::read(folder.join("sheet.png")).unwrap())];
    let mut jpegs: Vec<PathBuf> = std::fs::read_dir(kinds).unwrap().map(|entry| entry.unwrap().path()).collect();
    jpegs.retain(|path| path.extension().is_some_and(|ending| ending == "jpg"));
    jpegs.sort();
    found.extend(jpegs.into_iter().map(|path| ("jpg", std::fs::read(path).unwrap())));
    found
}

#[test]
fn damaged_images_are_told_or_decoded() {
    let folder = tempdir().unwrap();
    let none = Path::new("");
    let pictures = pictures(folder.path());
    for class in ["a", "b"] {
        std::fs::create_dir_all(folder.path().join("photos").join(class)).unwrap();
        for i in 0..3 {
            std::fs::write(folder.path().join(format!("photos/{class}/{i}.png")), &pictures[0].1).unwrap();
        }
    }
    let net = "data = images(\"photos\", classes = 2, transform = resize(8), normalize = none, validation = 0)\n\
               model m { input -> flatten -> linear(data.classes) }\n\
               train { loss = cross_entropy  optimizer = sgd(lr = 0.01)  batch = 2  epochs = 1 }\n";
    write(folder.path(), "net.gmpnet", net);
    let trained = gmpc(folder.path(), &["train", "net.gmpnet", "--out", "run", "--quiet"], "", none);
    assert_eq!(trained.ran.code, 0, "{}", trained.ran.stderr);
    let mut dice = Dice(6);
    let (mut count, mut refused) = (0, 0);
    for (number, (ending, bytes)) in pictures.iter().enumerate() {
        for round in 0..rounds().div_ceil(4) * if number == 0 { 4 } else { 1 } {
            let name = format!("damaged.{ending}");
            std::fs::write(folder.path().join(&name), damaged(bytes, &mut dice)).unwrap();
            let told = gmpc(folder.path(), &["predict", "run", "--input", &name], "", none);
            held(&told, &format!("picture {number}, round {round}"));
            count += 1;
            refused += u64::from(told.ran.code != 0);
        }
    }
    println!("damaged images: {count}, of which {refused} were refused");
}
