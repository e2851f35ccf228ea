//! The data sets and image sets of the standard library, read from their real files. The files lie in the folder
//! `GMPNET_DATA`, or else in `../shared/data` beside the workspace. Without them, the tests are ignored.

use crate::support::data_dir;
use gmpc_compiler::front;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::{DataSpec, ImageStep, Select, Task};
use gmpc_compiler::stage::Silent;
use gmpc_data::Pick;
use gmpc_data::fetch::{Verdict, verify};
use gmpc_data::images::{Draw, check, describe, prepare as prepare_images};
use gmpc_data::info::{ClassInfo, TargetInfo, info};
use gmpc_data::{Directories, Parts, prepare};
use gmpc_device::SliceMut;
use gmpc_grammar::source::Source;

/// The specification that `data = …` gives in front of this model.
fn declared(data: &str, model: &str) -> DataSpec {
    let text = format!("data = {data}\nmodel any{model}\n");
    let (module, _) = front(Source { name: "test".to_string(), text }, &Overrides::default(), &Silent).unwrap();
    module.experiment.data.unwrap()
}

fn spec(data: &str) -> DataSpec {
    declared(data, "(input: [1]) { input -> linear(1) }")
}

fn images_spec(data: &str) -> DataSpec {
    declared(data, " { input -> flatten -> linear(data.classes) }")
}

/// The folder of the real files.
fn real() -> Directories {
    Directories { data: data_dir(), beside: None }
}

/// Mean and standard deviation.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    (mean, (values.map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt())
}

/// Name, folder, rows, features, rows of a published training part, range, mean and deviation of the target.
type Set = (&'static str, &'static str, usize, usize, usize, [f64; 4]);

/// The UCI data sets with the numbers that were published for them.
const UCI: [Set; 7] = [
    ("uci.boston", "bostonHousing", 506, 13, 455, [5.0, 50.0, 22.53281, 9.18801]),
    ("uci.concrete", "concrete", 1030, 8, 927, [2.33, 82.6, 35.81796, 16.69763]),
    ("uci.energy", "energy", 768, 8, 691, [6.01, 43.1, 22.30720, 10.08362]),
    ("uci.naval", "naval-propulsion-plant", 11934, 16, 10741, [0.95, 1.0, 0.97500, 0.01472]),
    ("uci.power", "power-plant", 9568, 4, 8611, [420.26, 495.76, 454.36501, 17.06610]),
    ("uci.wine", "wine-quality-red", 1599, 11, 1439, [3.0, 8.0, 5.63602, 0.80732]),
    ("uci.yacht", "yacht", 308, 6, 277, [0.01, 62.42, 10.49536, 15.13586]),
];

#[test]
#[cfg_attr(not(has_data), ignore = "needs the data sets: set GMPNET_DATA to their folder")]
fn the_uci_files_hold_what_is_published_of_them() {
    let directories = real();
    for (name, _, rows, features, _, expected) in UCI {
        let contents = info(&spec(name), &directories).unwrap().contents.unwrap();
        assert_eq!((contents.rows, contents.features), (rows, features), "{name}");
        let [TargetInfo { low, high, mean, deviation, .. }] = &contents.targets[..] else { panic!("{name}") };
        for (found, expected) in [low, high, mean, deviation].into_iter().zip(expected) {
            assert!((found - expected).abs() < 6e-6, "{name}: {found} is not {expected}");
        }
        let constant: &[usize] = if name == "uci.naval" { &[8, 11] } else { &[] };
        assert_eq!(contents.constant_features, constant, "{name}");
    }
}

#[test]
#[cfg_attr(not(has_data), ignore = "needs the data sets: set GMPNET_DATA to their folder")]
fn the_files_have_the_declared_checksums() {
    let directories = real();
    for name in UCI.iter().map(|set| set.0).chain(["banana"]) {
        let verdicts: Vec<Verdict> =
            verify(&spec(name), &directories).unwrap().into_iter().map(|v| v.verdict).collect();
        assert_eq!(verdicts, [Verdict::Good], "{name}");
    }
}

#[test]
#[cfg_attr(not(has_data), ignore = "needs the data sets: set GMPNET_DATA to their folder")]
fn the_published_splits_cut_every_set_into_two_whole_parts() {
    let directories = real();
    for (name, folder, rows, _, train, _) in UCI {
        let files = format!("uci/{folder}/data/index");
        let split = format!(
            "predefined(train = \"{files}_train_{{split}}.txt\", test = \"{files}_test_{{split}}.txt\", count = 20)"
        );
        let spec = spec(&format!("{name}(split = {split})"));
        let seeds: &[u64] = if rows > 5000 { &[0, 19] } else { &[0, 7, 19, 20] };
        let parts: Vec<Parts> =
            seeds.iter().map(|&seed| prepare(&spec, Select::Test, seed, &directories).unwrap()).collect();
        for part in &parts {
            assert_eq!((part.train.rows, part.test.rows), (train, rows - train), "{name}");
        }
        assert_ne!(parts[0].test, parts[1].test, "{name}");
        if let Some(again) = parts.get(3) {
            assert_eq!(parts[0], *again, "{name}: seed 20 is split 0");
        }
    }
}

#[test]
#[cfg_attr(not(has_data), ignore = "needs the data sets: set GMPNET_DATA to their folder")]
fn standardized_training_rows_have_mean_0_and_deviation_1() {
    let directories = real();
    let parts = prepare(&spec("uci.naval"), Select::Valid, 3, &directories).unwrap();
    // The training part is 0.8 of 11,934 rows, and validation takes 0.2 of it.
    assert_eq!((parts.train.rows, parts.valid.map(|v| v.rows), parts.test.rows), (7638, Some(1909), 2387));
    for column in 0..16 {
        let (mean, deviation) = moments(parts.train.inputs.iter().skip(column).step_by(16).copied());
        let expected = if [8, 11].contains(&column) { 0.0 } else { 1.0 };
        assert!(mean.abs() < 1e-9 && (deviation - expected).abs() < 1e-9, "{column}: {mean} {deviation}");
    }
    assert!(parts.test.inputs.iter().all(|value| value.is_finite()));
}

#[test]
#[cfg_attr(not(has_data), ignore = "needs the data sets: set GMPNET_DATA to their folder")]
fn banana_is_two_classes_of_which_a_sample_is_drawn() {
    let directories = real();
    let spec = spec("banana");
    assert_eq!((spec.task, spec.sample), (Task::Classification, Some(1000)));
    let classes = info(&spec, &directories).unwrap().contents.unwrap().classes;
    let class = |label: &str, rows| ClassInfo { label: label.to_string(), rows };
    assert_eq!(classes, [class("-1.0", 2924), class("1.0", 2376)]);
    let parts = prepare(&spec, Select::Test, 0, &directories).unwrap();
    assert_eq!((parts.train.rows, parts.test.rows, parts.facts.rows), (800, 200, Some(1000)));
    assert!(parts.train.targets.iter().all(|&class| class == 0.0 || class == 1.0));
    assert_ne!(parts.test, prepare(&spec, Select::Test, 1, &directories).unwrap().test);
}

#[test]
#[cfg_attr(not(has_cifar10), ignore = "needs CIFAR-10: set GMPNET_DATA to the folder of `cifar10`")]
fn cifar10_is_what_is_published_of_it() {
    let directories = real();
    let spec = images_spec("cifar10");
    let images = spec.images().unwrap();
    let described = describe(&spec, images, &directories).unwrap();
    assert_eq!((described.train, described.test), (50_000, 10_000));
    assert!(described.classes.iter().all(|(_, train, test)| (*train, *test) == (5000, 1000)));
    assert_eq!((described.classes[0].0.as_str(), described.classes[9].0.as_str()), ("airplane", "truck"));
    let published = [[0.49140, 0.48216, 0.44653], [0.24703, 0.24349, 0.26159]];
    for (found, published) in [described.mean, described.deviation].iter().zip(published) {
        assert!(found.iter().zip(published).all(|(a, b)| (a - b).abs() < 6e-6), "{found:?}");
    }
    let parts = prepare_images(&spec, images, &[], Select::Valid, 0, &directories).unwrap();
    assert_eq!((parts.train.classes.len(), parts.valid.unwrap().classes.len()), (40_000, 10_000));
}

#[test]
#[cfg_attr(
    not(has_imagenet_sample),
    ignore = "needs a sample of ImageNet: set GMPNET_DATA to the folder of `imagenet-sample`"
)]
fn photographs_of_imagenet_are_decoded_resized_and_cut() {
    let directories = real();
    let transform = "transform = [resize(368), center_crop(224)], normalize = none";
    let spec = images_spec(&format!("images(\"imagenet-sample\", classes = 200, {transform}, validation = 0)"));
    let images = spec.images().unwrap();
    let checked = check(&spec, images, &directories);
    assert_eq!((checked.images, checked.faults.as_slice()), (200, &[][..]));
    let augment = [
        ImageStep::RandomResize { low: 256, high: 480 },
        ImageStep::RandomCrop { height: 224, width: 224, pad: 0 },
        ImageStep::HorizontalFlip,
    ];
    let parts = prepare_images(&spec, images, &augment, Select::Valid, 0, &directories).unwrap();
    assert_eq!((parts.train.classes.len(), parts.test.classes.len()), (160, 40));
    let width = 224 * 224 * 3;
    let mut numbers = vec![0.0f32; 12 * width];
    parts.train.images.begin(0, 0, None, 0);
    parts.train.images.copy(&Pick::Range(0..12), Draw::Training, &mut SliceMut::F32(&mut numbers)).unwrap();
    assert!(numbers.iter().all(|n| (0.0..=1.0).contains(n)));
    assert!(numbers.chunks(width).all(|image| image.iter().any(|n| *n != image[0])), "an image is no flat colour");
}
