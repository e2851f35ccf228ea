//! The embedded numbers are whole, and what is changed is said.

use super::*;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::stage::Silent;
use gmpc_data::Directories;
use gmpc_device_cpu::Cpu;
use gmpc_grammar::source::Source;
use std::sync::Arc;

const ITEMS: [&str; 6] = ["fig2", "fig3", "fig4", "table1", "table2", "table3"];

fn own(item: &Item, set: &[(&str, &str)]) -> Request {
    let file = Source {
        name: format!("{}.gmpnet", item.experiment),
        text: paper::experiment(&item.experiment).expect("an example").into(),
    };
    let set = set.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let directories = Directories { data: "nowhere".into(), beside: None };
    Request {
        file,
        overrides: Overrides { set, ..Overrides::default() },
        directories,
        device: Arc::new(Cpu::default()),
        observer: Arc::new(Silent),
    }
}

#[test]
fn every_number_of_the_paper_belongs_to_a_cell_and_names_its_source() {
    let sources = paper::sources().unwrap();
    for name in ITEMS {
        let item = item(name).unwrap();
        assert!(!item.ran.is_empty() && !item.known.is_empty() && !item.numbers.is_empty(), "{name}");
        for number in &item.numbers {
            assert!(sources.contains_key(&number.source), "{name}: {number:?}");
            assert!(item.params.contains(&number.param), "{name}: {number:?}");
            assert!(item.metrics.iter().any(|metric| metric.name == number.metric), "{name}: {number:?}");
            let axis = item.over.first().map(|(_, values)| values);
            assert_eq!(number.over.is_some(), axis.is_some(), "{name}: {number:?}");
            assert!(number.over.as_ref().is_none_or(|value| axis.unwrap().contains(value)), "{name}: {number:?}");
        }
        let own = own(&item, &[]);
        assert_eq!(axes(&item, &Asked::default(), &own).params, item.params);
        read(&request(&item, &own)).unwrap();
    }
    assert_eq!(figure_1().unwrap().eps.len(), 4);
    assert!(paper::citation().unwrap().contains("2305.15912"));
}

#[test]
fn table_2_has_all_of_its_thirty_six_cells() {
    let item = item("table2").unwrap();
    assert_eq!(item.numbers.len(), 36);
    let over = [("train.batch".to_string(), "512".to_string())];
    assert_eq!(item.number("gmp + mn", &over, "test.top5").map(|number| number.mean), Some(67.76));
}

#[test]
fn data_that_are_not_here_are_named_with_a_way_to_get_them() {
    let said = |name: &str| {
        let item = item(name).unwrap();
        let out = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let ran = reproduce(&item, &Asked::default(), &own(&item, &[]), out.path(), 1, &mut |_| {}, &stop);
        let failure = ran.err().expect("no data");
        assert_eq!(failure.exit_code(), 3, "{failure}");
        format!("{failure}; {}", failure.help().unwrap_or_default())
    };
    let table1 = said("table1");
    assert!(table1.contains("uci.boston, uci.concrete") && table1.contains("gmpc data fetch uci.boston"), "{table1}");
    assert!(said("fig3").contains("banana"));
    let table2 = said("table2");
    assert!(table2.contains("image-net.org") && table2.contains("--set data=cifar10"), "{table2}");
    assert!(said("table3").starts_with("imagenet "));
}

#[test]
fn everything_that_was_changed_is_said() {
    let item = item("table2").unwrap();
    let own = own(&item, &[("data", "shapes32"), ("train.epochs", "2"), ("train.batch", "64")]);
    let asked = Asked { repeats: Some(1), params: vec!["sp".into()] };
    let whole = request(&item, &own);
    assert!(!whole.overrides.set.iter().any(|(key, _)| key == "train.batch"), "an axis is no setting");
    let axes = axes(&item, &asked, &own);
    assert_eq!(axes.over, [("train.batch".to_string(), vec!["64".to_string()])], "an axis is narrowed");
    let said = changed(&item, &asked, &own, &whole).unwrap().join("\n");
    for part in [
        "shapes32, not imagenet32",
        "train.epochs = 2 (the paper: 500)",
        "train.batch = 64 (the paper: 256, 512, 1024)",
        "1 run of each instead of 3",
        "Only sp of sp, wn",
    ] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
    assert!(!same_data(&item, &own).unwrap());
}

#[test]
fn several_values_of_an_axis_are_run() {
    let item = item("table1").unwrap();
    let own = own(&item, &[("data", "uci.yacht,uci.boston")]);
    let found = axes(&item, &Asked::default(), &own);
    assert_eq!(found.over, [("data".to_string(), vec!["uci.yacht".to_string(), "uci.boston".to_string()])]);
    assert!(same_data(&item, &own).unwrap());
    read(&request(&item, &own)).unwrap();
}
