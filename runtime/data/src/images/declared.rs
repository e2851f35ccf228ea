//! Tests of the standard library's image sets without their files: what a declaration says by itself. `tests/data.rs`
//! of the workspace reads the real files.

use crate::{Directories, probe};
use gmpc_compiler::front;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::DataSpec;
use gmpc_compiler::stage::Silent;
use gmpc_grammar::source::Source;

fn spec(data: &str) -> DataSpec {
    let text = format!("data = {data}\nmodel any {{ input -> flatten -> linear(data.classes) }}\n");
    let (module, _) = front(Source { name: "test".to_string(), text }, &Overrides::default(), &Silent).unwrap();
    module.experiment.data.unwrap()
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
        let facts = probe(&spec(name), &nowhere).unwrap().0;
        assert_eq!((facts.shape.as_slice(), facts.classes), (&shape[..], Some(classes)), "{name}");
        let files = super::files(spec(name).images().unwrap(), &nowhere).unwrap();
        assert!(files.iter().all(|file| file.bytes.is_none()) && files.is_empty() == (name == "shapes32"), "{name}");
    }
    let spec = spec("cifar10");
    let error = super::load(&spec, spec.images().unwrap(), &nowhere).unwrap_err();
    assert!(error.code == "E0750" && error.exit_code() == 3 && error.reason.contains("`data_batch_1`"), "{error}");
}
