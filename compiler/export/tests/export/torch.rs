//! The text of a module, and that its state dict fits it. PyTorch itself is asked where it is installed: `gmpc export` does so.

use crate::testing::Sample;
use crate::testing::networks::NETWORKS;
use gmpc_export::torch::{fixed, write};
use safetensors::SafeTensors;

fn files(name: &str, fold: bool) -> (String, Vec<u8>) {
    let case = NETWORKS.iter().find(|case| case.0 == name).unwrap();
    let mut files = write(&Sample::new(case).network, fold).unwrap();
    let state = files.pop().unwrap().bytes;
    (String::from_utf8(files.pop().unwrap().bytes).unwrap(), state)
}

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_module_reads_well() {
    holds(
        &files("gmp", false).0,
        &[
            "class M(nn.Module):",
            "self.dense1 = Gmp((6, 3), nn.ReLU())",
            "self.dense3 = Gmp((4, 5), nn.Identity(), bias=False)",
            "self.linear1 = nn.Linear(4, 2)",
            "return linear1 * self.output_deviation + self.output_mean",
        ],
    );
}

#[test]
fn a_folded_module_has_plain_layers() {
    let text = files("centred", true).0;
    holds(
        &text,
        &["nn.Conv2d(3, 4, 3, padding=1)", "F.relu(self.conv1(x - self.conv1_centre))", "F.pad(", "torch.softmax"],
    );
    assert!(!text.contains("Gmp"), "{text}");
}

#[test]
fn every_tensor_belongs_to_something_in_the_text() {
    for case in &NETWORKS {
        for fold in [false, true] {
            let (text, state) = files(case.0, fold);
            for (name, view) in SafeTensors::deserialize(&state).unwrap().tensors() {
                let owner = name.split('.').next().unwrap();
                let known = [format!("self.{owner} = "), format!("register_buffer(\"{owner}\"")];
                assert!(known.iter().any(|known| text.contains(known)), "{}: {name}", case.0);
                assert!(view.shape().iter().product::<usize>() > 0 || name.ends_with(".theta"), "{}: {name}", case.0);
            }
        }
    }
}

#[test]
fn shapes_are_those_of_the_layers() {
    let (_, state) = files("filters", false);
    let state = SafeTensors::deserialize(&state).unwrap();
    let shape = |name: &str| state.tensor(name).unwrap().shape().to_vec();
    assert_eq!(shape("conv1.theta"), [5, 26]);
    assert_eq!(shape("linear1.weight"), [4, 48]); // 6 x 2 pixels of 4 channels
    let (_, folded) = files("filters", true);
    assert_eq!(SafeTensors::deserialize(&folded).unwrap().tensor("conv1.weight").unwrap().shape(), [5, 3, 3, 3]);
}

#[test]
fn definitions_are_classes_with_their_parameters() {
    let text = files("own", false).0;
    holds(
        &text,
        &["class Halves(nn.Module):", "self.inside = nn.Parameter(torch.zeros(5))", "self.dense2 = Halves_()"],
    );
    holds(&files("spectral", false).0, &["class Spectral(nn.Module):", "self.register_buffer(\"u\", torch.zeros(5))"]);
    holds(
        &files("rows_normed", false).0,
        &[
            "nn.LayerNorm(3, eps=1e-5)",
            "nn.GroupNorm(4, 8, eps=1e-5)",
            "nn.BatchNorm1d(8, eps=0.001, momentum=0.1)",
            "class RmsNorm",
        ],
    );
    holds(&files("silu_mish", false).0, &["Gmp((5, 3), nn.SiLU())"]);
    holds(&files("prelu", false).0, &["Wn((5, 3), nn.PReLU(5))"]);
    holds(&files("own_statistics", false).0, &["batch_var(self, \"running_var\"", "batch_mean(self, \"running_mean\""]);
}

#[test]
fn states_that_stay_are_told() {
    let of = |name: &str| {
        let network = Sample::new(NETWORKS.iter().find(|case| case.0 == name).unwrap()).network;
        fixed(&network).unwrap().into_iter().map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(of("own"), [] as [&str; 0]);
    assert_eq!(of("spectral"), ["dense1"]);
}

#[test]
fn the_same_network_is_the_same_bytes() {
    assert_eq!(files("gmp", false), files("gmp", false));
}
