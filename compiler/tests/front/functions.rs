//! The table of functions is correct: a function can be called where the table lists it, and nowhere else.

use crate::explained::raised;
use gmpc_compiler::explain::explain;
use gmpc_compiler::front::functions::{Dialect, FUNCTIONS, names};

/// One kind of place for a call: a file with `CALL` there, an argument that fits, and the code for an unknown function.
struct Place {
    dialects: &'static [Dialect],
    argument: &'static str,
    text: &'static str,
    unknown: &'static str,
}

const PLACES: [Place; 8] = [
    Place {
        dialects: &[Dialect::Schedules],
        argument: "epoch",
        text: "schedule s { base * CALL }\nmodel m(input: [2]) { input -> linear(1) }\ntrain { loss = mse\n schedule = s }",
        unknown: "E0620",
    },
    Place {
        dialects: &[Dialect::Constants],
        argument: "0.5",
        text: "model m(input: [2]) { input -> dropout(CALL) -> linear(1) }",
        unknown: "E0413",
    },
    Place {
        dialects: &[Dialect::Formulas],
        argument: "x",
        text: "dataset d { file = formula(CALL, x = [1, 2]) }\ndata = d\nmodel m { input -> linear(1) }",
        unknown: "E0710",
    },
    Place {
        dialects: &[Dialect::Definitions],
        argument: "gradient",
        text: "optimizer o(lr) {\n a = CALL\n value - lr * gradient\n}
model m(input: [2]) { input -> dense(1) }\ntrain { loss = mse\n optimizer = o(lr = 1)\n epochs = 1\n batch = 8 }",
        unknown: "E0552",
    },
    Place {
        dialects: &[Dialect::Definitions, Dialect::Parameterizations],
        argument: "w",
        text: "parameterization p {\n w: weight ~ he_normal\n a = CALL\n act(dot(w, x))\n}\nparam = p
model m(input: [2]) { input -> dense(1) }\ntrain { loss = mse }",
        unknown: "E0552",
    },
    Place {
        dialects: &[Dialect::Definitions, Dialect::Initializers],
        argument: "v",
        text: "initializer i {\n v = normal()\n CALL\n}\nparam = sp(init = i)\nmodel m(input: [2]) { input -> dense(1) }",
        unknown: "E0552",
    },
    Place {
        dialects: &[Dialect::Definitions, Dialect::Measures],
        argument: "prediction",
        text: "loss l(prediction, target) {\n a = CALL\n mean(prediction - target)\n}
model m(input: [2]) { input -> linear(1) }\ntrain { loss = l }",
        unknown: "E0552",
    },
    Place {
        dialects: &[Dialect::Definitions, Dialect::Stages],
        argument: "x",
        text: "stage s {\n a = CALL\n x\n}\nmodel m(input: [2]) { input -> s }\ntrain { loss = mse }",
        unknown: "E0552",
    },
];

#[test]
fn a_function_can_be_called_where_the_table_says_so_and_nowhere_else() {
    for place in &PLACES {
        for function in &FUNCTIONS {
            let arguments = vec![place.argument; function.most_arguments()].join(", ");
            let call = format!("{}({arguments})", function.name);
            let codes = raised(&place.text.replace("CALL", &call));
            let known = !codes.contains(place.unknown);
            assert_eq!(known, function.is_known(place.dialects), "`{call}` for {:?}: {codes:?}", place.dialects);
        }
    }
}

#[test]
fn pages_list_the_functions_of_the_table() {
    for (code, dialects) in [("E0413", &[Dialect::Constants]), ("E0710", &[Dialect::Formulas])] {
        let page = explain(code).expect("a page");
        let listed: Vec<&str> =
            page.about.split('`').skip(1).step_by(2).filter(|word| FUNCTIONS.iter().any(|f| f.name == *word)).collect();
        assert_eq!(listed, names(dialects).collect::<Vec<_>>(), "{code}");
    }
}
