//! The standard library's sets of images, read from their real files where these are there (`GMPNET_DATA`, or the folder
//! `../shared/data` beside the project). Without them the tests say what they skip; with `CI` set that is a failure.

use super::{Draw, check, describe, prepare};
use crate::data::{Directories, probe};
use crate::device::SliceMut;
use crate::rows::Pick;
use gmpc_compiler::experiment::{DataSpec, ImageStep, Select};
use gmpc_compiler::resolve::{self, Overrides};
use gmpc_grammar::source::Source;
use std::path::{Path, PathBuf};

fn spec(data: &str) -> DataSpec {
    let text = format!("data = {data}\nmodel any {{ input -> flatten -> linear(data.classes) }}\n");
    let (module, _) = resolve::read(Source { name: "test".to_string(), text }, &Overrides::default()).unwrap();
    module.experiment.data.unwrap()
}

/// Where the real files are, if they are.
fn real(what: &str, folder: &str) -> Option<Directories> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let data = std::env::var_os("GMPNET_DATA").map_or(default, PathBuf::from);
    if data.join(folder).is_dir() {
        return Some(Directories { data, beside: None });
    }
    eprintln!("SKIPPED: {what}: no data in {} (set GMPNET_DATA)", data.display());
    assert!(std::env::var_os("CI").is_none(), "with CI set, data have to be there");
    None
}

#[test]
fn every_declaration_says_enough_to_check_a_model_without_its_files() {
    let nowhere = Directories { data: "/nonexistent".into(), beside: None };
    let sets = [
        ("cifar10", [3, 32, 32], 10),
        ("cifar100", [3, 32, 32], 100),
        ("imagenet32", [3, 32, 32], 1000),
        ("imagenet", [3, 224, 224], 1000),
        ("mnist", [1, 28, 28], 10),
        ("fashion_mnist", [1, 28, 28], 10),
        ("shapes32", [3, 32, 32], 20),
    ];
    for (name, shape, classes) in sets {
        let facts = probe(&spec(name), &nowhere).unwrap();
        assert_eq!((facts.shape.as_slice(), facts.classes), (&shape[..], Some(classes)), "{name}");
        let files = super::files(spec(name).images().unwrap(), &nowhere).unwrap();
        assert!(files.iter().all(|file| file.bytes.is_none()) && files.is_empty() == (name == "shapes32"), "{name}");
    }
    let spec = spec("cifar10");
    let error = super::load(&spec, spec.images().unwrap(), &nowhere).unwrap_err();
    assert!(error.code == "E0750" && error.exit_code() == 3 && error.reason.contains("`data_batch_1`"), "{error}");
}

#[test]
fn cifar10_is_what_is_published_of_it() {
    let Some(directories) = real("CIFAR-10", "cifar10") else { return };
    let spec = spec("cifar10");
    let images = spec.images().unwrap();
    let described = describe(&spec, images, &directories).unwrap();
    assert_eq!((described.train, described.test), (50_000, 10_000));
    assert!(described.classes.iter().all(|(_, train, test)| (*train, *test) == (5000, 1000)));
    assert_eq!((described.classes[0].0.as_str(), described.classes[9].0.as_str()), ("airplane", "truck"));
    let published = [[0.49140, 0.48216, 0.44653], [0.24703, 0.24349, 0.26159]];
    for (found, published) in [described.mean, described.deviation].iter().zip(published) {
        assert!(found.iter().zip(published).all(|(a, b)| (a - b).abs() < 6e-6), "{found:?}");
    }
    let parts = prepare(&spec, images, &[], Select::Valid, 0, &directories).unwrap();
    assert_eq!((parts.train.classes.len(), parts.valid.unwrap().classes.len()), (40_000, 10_000));
}

#[test]
fn photographs_of_imagenet_are_decoded_resized_and_cut() {
    let Some(directories) = real("a sample of ImageNet", "imagenet-sample") else { return };
    let transform = "transform = [resize(368), center_crop(224)], normalize = none";
    let spec = spec(&format!("images(\"imagenet-sample\", classes = 200, {transform}, validation = 0)"));
    let images = spec.images().unwrap();
    let checked = check(&spec, images, &directories);
    assert_eq!((checked.images, checked.faults.as_slice()), (200, &[][..]));
    let augment = [
        ImageStep::RandomResize { low: 256, high: 480 },
        ImageStep::RandomCrop { height: 224, width: 224, pad: 0 },
        ImageStep::HorizontalFlip,
    ];
    let parts = prepare(&spec, images, &augment, Select::Valid, 0, &directories).unwrap();
    assert_eq!((parts.train.classes.len(), parts.test.classes.len()), (160, 40));
    let width = 224 * 224 * 3;
    let mut numbers = vec![0.0f32; 12 * width];
    parts.train.images.begin(0, 0, None, 0);
    parts.train.images.copy(&Pick::Range(0..12), Draw::Training, &mut SliceMut::F32(&mut numbers)).unwrap();
    assert!(numbers.iter().all(|n| (0.0..=1.0).contains(n)));
    assert!(numbers.chunks(width).all(|image| image.iter().any(|n| *n != image[0])), "an image is no flat colour");
}
