//! The description of an image set: counts, means, deviations.

use super::*;
use crate::images::{check, shapes};
use crate::{Directories, load as load_table};
use gmpc_compiler::front;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::{ImageSource, Normalize};
use gmpc_compiler::stage::Silent;
use gmpc_grammar::source::Source as Text;

fn spec(data: &str) -> DataSpec {
    let text = format!("data = {data}\nmodel any {{ input -> flatten -> linear(data.classes) }}\n");
    let (module, _) = front(Text { name: "test".to_string(), text }, &Overrides::default(), &Silent).unwrap();
    module.experiment.data.unwrap()
}

fn nowhere() -> Directories {
    Directories { data: "/nonexistent".into(), beside: None }
}

#[test]
fn a_set_is_counted_and_measured() {
    let spec = spec("shapes32(train = 40, test = 20)");
    let images = spec.images().unwrap();
    let described = describe(&spec, images, &nowhere()).unwrap();
    assert_eq!((described.shape.as_slice(), described.train, described.test), (&[3, 32, 32][..], 40, 20));
    assert_eq!(described.classes[1], ("disc, hollow".to_string(), 2, 1));
    let set = shapes::render(40, 20, 0, "a").unwrap();
    let crate::images::Store::Kept { pixels, .. } = &*set.store else { panic!("kept") };
    let red = || pixels[..40 * 3072].iter().step_by(3).map(|&v| f64::from(v) / 255.0);
    let mean = red().sum::<f64>() / (40.0 * 1024.0);
    let variance = red().map(|v| (v - mean).powi(2)).sum::<f64>() / (40.0 * 1024.0);
    assert!((described.mean[0] - mean).abs() < 1e-12 && (described.deviation[0] - variance.sqrt()).abs() < 1e-9);
    assert_eq!(load_table(&spec, &nowhere()).unwrap_err().code, "E0753");
}

#[test]
fn a_contact_sheet_has_a_row_of_pictures_for_each_class() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sheet.png");
    let spec = spec("shapes32(train = 60, test = 0, split = random(train = 0.8))");
    let names = preview(&spec, spec.images().unwrap(), &nowhere(), &path).unwrap();
    assert_eq!((names.len(), names[4].as_str()), (20, "triangle, filled"));
    let mut sheet = Picture::default();
    decode::read(&path, &mut sheet, decode::WHITE).unwrap();
    assert_eq!((sheet.width, sheet.height), (2 + 12 * 34, 2 + 20 * 34));
}

#[test]
fn a_broken_photograph_in_the_middle_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let whole = decode::png(&[100; 8 * 8 * 3], 8, 8).unwrap();
    for (class, name) in [("cat", "a.png"), ("cat", "b.PNG"), ("dog", "a.png"), ("dog", "notes.txt")] {
        std::fs::create_dir_all(folder.path().join("pets").join(class)).unwrap();
        std::fs::write(folder.path().join("pets").join(class).join(name), &whole).unwrap();
    }
    std::fs::write(folder.path().join("pets/cat/b.PNG"), &whole[..whole.len() / 2]).unwrap();
    let directories = Directories { data: folder.path().to_path_buf(), beside: None };
    let spec = spec("images(\"pets\", classes = 2, shape = [3, 8, 8], split = random(train = 0.7))");
    let images = spec.images().unwrap();
    assert_eq!(images.normalize, Normalize::Channels);
    assert!(matches!(images.source, ImageSource::Folder { .. }));
    let checked = check(&spec, images, &directories);
    assert_eq!((checked.files, checked.images, checked.faults.len()), (3, 2, 1));
    let fault = &checked.faults[0];
    assert!(fault.code == "E0764" && fault.file.ends_with("b.PNG") && fault.exit_code() == 3, "{fault}");
    // Training on it reports the same error when means are measured or a batch is prepared.
    let error = describe(&spec, images, &directories).unwrap_err();
    assert_eq!((error.code, &error.file), ("E0764", &fault.file));
}
