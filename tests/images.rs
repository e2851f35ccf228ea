//! Image data through the program: training on rendered images, previews and predictions, and broken files, which `data
//! verify` and training name.

use crate::support::{gmpc_in, write};
use tempfile::tempdir;

/// A small network on a few rendered images, with every augmentation that draws random numbers.
const SHAPES: &str = "
data  = shapes32(train = 120, test = 40)
model flat { input -> flatten -> dense(12) -> relu -> linear(data.classes) }
train {
    loss      = cross_entropy
    optimizer = sgd(lr = 0.01)
    batch     = 16
    epochs    = 3
    metrics   = [top1, top5]
    augment   = [horizontal_flip, random_crop(32, pad = 4), lighting(0.1)]
}
";

#[test]
fn a_run_on_images_is_repeatable_and_predicts_for_files() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "shapes.gmpnet", SHAPES);
    let figures = |out: &str| {
        let ran = gmpc_in(folder.path(), &["train", &file, "--out", out, "--json"]).expect(0);
        ran.event("done")["test.loss"].clone()
    };
    assert_eq!(figures("one"), figures("two"));
    let weights = |run: &str| std::fs::read(folder.path().join(run).join("best.safetensors")).unwrap();
    assert_eq!(weights("one"), weights("two"), "the same bits, whatever the workers did");

    let ran = gmpc_in(folder.path(), &["data", "info", "shapes32", "--preview", "sheet.png"]).expect(0);
    assert!(ran.stdout.contains("[3, 32, 32]") && ran.stdout.contains("star, hollow"), "{}", ran.stdout);
    let ran = gmpc_in(folder.path(), &["predict", "one", "--input", "sheet.png", "sheet.png"]).expect(0);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert_eq!(ran.stdout.lines().next().map(|line| line.matches(" %").count()), Some(5), "{}", ran.stdout);
}

#[test]
fn a_broken_photograph_is_named_by_verify_and_by_training() {
    let folder = tempdir().unwrap();
    gmpc_in(folder.path(), &["data", "info", "shapes32", "--preview", "sheet.png"]).expect(0);
    let sheet = std::fs::read(folder.path().join("sheet.png")).unwrap();
    for (class, number) in ["cat", "dog"].iter().flat_map(|class| (0..4).map(move |number| (class, number))) {
        let place = folder.path().join("pets").join(class);
        std::fs::create_dir_all(&place).unwrap();
        let broken = (*class, number) == ("cat", 2);
        let bytes = if broken { &sheet[..sheet.len() / 2] } else { &sheet[..] };
        std::fs::write(place.join(format!("{number}.png")), bytes).unwrap();
    }
    let text = "data = images(\"pets\", classes = 2, transform = resize(16), normalize = none, validation = 0)\n\
        model m { input -> flatten -> linear(data.classes) }\n\
        train { loss = cross_entropy  optimizer = sgd(lr = 0.1)  epochs = 1  batch = 2 }\n";
    let file = write(folder.path(), "pets.gmpnet", text);
    let verified = gmpc_in(folder.path(), &["data", "verify", &file]).expect(3);
    assert!(verified.stdout.contains("2.png: ") && verified.stdout.contains("7 images"), "{}", verified.stdout);
    let trained = gmpc_in(folder.path(), &["train", &file, "--out", "run"]).expect(3);
    assert!(trained.stderr.contains("2.png"), "{}", trained.stderr);
    std::fs::remove_file(folder.path().join("pets/cat/2.png")).unwrap();
    gmpc_in(folder.path(), &["data", "verify", &file]).expect(0);
    gmpc_in(folder.path(), &["train", &file, "--out", "again"]).expect(0);
}

/// Eight times the same picture, in two folders; its height and width.
fn pets(folder: &std::path::Path) -> [u32; 2] {
    gmpc_in(folder, &["data", "info", "shapes32", "--preview", "sheet.png"]).expect(0);
    let sheet = std::fs::read(folder.join("sheet.png")).unwrap();
    for (class, number) in ["cat", "dog"].iter().flat_map(|class| (0..4).map(move |number| (class, number))) {
        let place = folder.join("pets").join(class);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(format!("{number}.png")), &sheet).unwrap();
    }
    // A PNG's header: width at 16, height at 20, the highest byte first.
    [20, 16].map(|at| u32::from_be_bytes(sheet[at..at + 4].try_into().unwrap()))
}

#[test]
fn files_of_unstated_size_are_listed_and_checked() {
    let folder = tempdir().unwrap();
    let [height, width] = pets(folder.path());
    let text = "data = images(\"pets\")\nmodel m { input -> flatten -> linear(data.classes) }\n";
    let file = write(folder.path(), "pets.gmpnet", text);
    let verified = gmpc_in(folder.path(), &["data", "verify", &file]).expect(0);
    assert!(verified.stdout.contains("8 images in 8 sound files"), "{}", verified.stdout);
    let info = gmpc_in(folder.path(), &["data", "info", &file]).expect(0);
    let told = format!("all {height}×{width}: write `shape = [3, {height}, {width}]`");
    assert!(info.stdout.contains(&told), "{}", info.stdout);
    let checked = gmpc_in(folder.path(), &["check", &file]).expect(1);
    assert!(checked.stderr.contains("E0715") && !checked.stderr.contains("different sizes"), "{}", checked.stderr);
}
