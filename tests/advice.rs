//! Advice is followed: for every error and warning whose help proposes an edit, the edit is made in the program of its page, and the
//! diagnostic is gone, without a new one in its place.
//!
//! `did you mean ...` is followed as it stands; what else a help can say is followed by hand in [`FOLLOWED`]. A code that is in
//! neither fails the test, so whoever adds one has to try its help.

use gmpc_compiler::explain::pages;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::stage::Silent;
use gmpc_data::Directories;
use gmpc_device_cpu::Cpu;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::{Source, Sources};
use gmpc_runtime::failure::Failure;
use gmpc_runtime::program::network::Network;
use gmpc_runtime::program::session::Programs;
use gmpc_runtime::task::experiment::{Request, network};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A code; what its help says; the edit that this means, as texts to replace.
type Followed = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Help that proposes no edit, or none that could be made here.
const NO_EDIT: [(&str, &str); 5] = [
    ("E0100", "says what may stand there at all"),
    ("E0102", "a name for an inner part of something that means nothing"),
    ("E0111", "which number was meant, nobody knows"),
    ("E0148", "says what `_` is for"),
    ("E0709", "the checksum is that of a file"),
];

/// Following the help leads to the next error, which has the rest.
const LEADS_ON: [(&str, &str); 1] = [("E0207", "E0318")];

#[rustfmt::skip] // a code, a line
const FOLLOWED: &[Followed] = &[
    ("E0104", "add `)`", &[("100 -> relu\n", "100 -> relu\n)")]),
    ("E0105", "write `]` instead of `)`", &[("mae)", "mae]")]),
    ("E0106", "remove it", &[("))", ")")]),
    ("E0107", r#"add `"` where it ends"#, &[("yacht.csv)", r#"yacht.csv")"#)]),
    ("E0108", r#"write `\\` for one backslash"#, &[(r#"data\yacht"#, r#"data\\yacht"#)]),
    ("E0109", "numbers look like `64`", &[("0x10", "64")]),
    ("E0110", "a float, such as `1e20`", &[("99999999999999999999", "1e20")]),
    ("E0112", "remove it", &[(";", "")]),
    ("E0113", "write `and`", &[("&&", "and")]),
    ("E0114", "a comment is `// …`", &[("# for", "// for")]),
    ("E0115", r#"write `"…"`"#, &[("'rmse'", r#""rmse""#)]),
    ("E0116", "write `theta`", &[("θ", "theta")]),
    ("E0117", "`//` for a comment", &[("//! The", "// The")]),
    ("E0118", "write `//` for a comment", &[("/// Over", "// Over")]),
    ("E0119", "such as `from_`", &[("from", "from_")]),
    ("E0120", "write `name = value`", &[("let seed", "seed")]),
    ("E0121", "`train { epochs = … }`", &[("train.epochs = 5", "train { epochs = 5 }")]),
    ("E0122", "such as `64`, `relu`", &[("loss =\n", "loss = relu\n")]),
    ("E0123", "write `w: weight ~ …`", &[("w ~", "w: weight ~")]),
    ("E0124", "write `w: weight = 0`", &[("w: weight\n", "w: weight = 0\n")]),
    ("E0125", "write `epochs = …`", &[("epochs 100", "epochs = 100")]),
    ("E0126", "write `…) -> relu`", &[(") relu", ") -> relu")]),
    ("E0127", "give it a name, `name = …`", &[("    input -> dense", "    name = input -> dense")]),
    ("E0128", "write `model my_model { … }`", &[("model {", "model my_model {")]),
    ("E0129", "write `train { epochs = 100 … }`", &[("train slowly", "train")]),
    ("E0130", "write `use std.resnet`", &[("use 3", "use std.resnet")]),
    ("E0131", "between braces: `{ … }`", &[("block b(n)\n    input -> dense(n)", "block b(n) {\n    input -> dense(n)\n}")]),
    ("E0133", "a setting is `param = gmp`", &[("\n3", "\nseed = 3")]),
    ("E0134", "`input: [3, 32, 32]`", &[("m(3)", "m(input: [3, 32, 32])")]),
    ("E0135", "write `0.1`", &[(".1", "0.1")]),
    ("E0136", "write `dense(…)`", &[("dense (", "dense(")]),
    ("E0137", "`input.channels`", &[("input.shape[0]", "input.channels")]),
    ("E0138", "or bind a value: `name = …`", &[("input as start", "input")]),
    ("E0139", "a stage is `relu`", &[("-> 3", "-> relu")]),
    ("E0140", "name what enters first: `input -> …`", &[("    -> dense", "    input -> dense")]),
    ("E0141", "write `==` to compare", &[("stride = 1", "stride == 1")]),
    ("E0142", "write `match param { gmp => 0.1, _ => 0.01 }`", &[("gmp -> 0.1, _ -> 0.01", "gmp => 0.1, _ => 0.01")]),
    ("E0143", "`else { identity }`", &[("{ relu }", "{ relu } else { identity }")]),
    ("E0144", "`if c { a } else { b }`", &[("deep relu else tanh", "deep { relu } else { tanh }")]),
    ("E0145", "write `stride = …`", &[("stride: 2", "stride = 2")]),
    ("E0146", "separated by `,`", &[("rmse mae", "rmse, mae")]),
    ("E0147", "write the second value", &[("1 +", "1 + 2")]),
    ("E0149", "`(-x)` to begin a new value", &[("    -gain", "    (-gain)")]),
    ("E0150", "write `a < b and b < c`", &[("1 < n < 5", "1 < n and n < 5")]),
    ("E0151", "give it its name", &[("64)", "channels = 64)")]),
    ("E0152", "remove one of them", &[("stride = 1, ", "")]),
    ("E0153", "remove one of them", &[("b(n, n)", "b(n)")]),
    ("E0154", "remove one of them", &[("param = gmp\n", "")]),
    ("E0155", "write `model net`", &[("my.net", "net")]),
    ("E0156", "`10_000`", &[("10 000", "10_000")]),
    ("E0157", "remove it", &[("    from(w, b) { v = w }\n", "")]),
    ("E0202", "`gmp + mn`", &[("= mn", "= gmp + mn")]),
    ("E0203", "did you mean `std.residual`?", &[("std.residuals", "std.residual")]),
    ("E0204", "such as `my_adam`", &[("optimizer adam", "optimizer my_adam")]),
    ("E0205", "rename or remove one of them", &[("block b { input -> tanh }\n", "")]),
    ("E0206", "choose another name for this block", &[("block dense", "block plain"), ("-> dense", "-> plain")]),
    ("E0207", "write `model name { input -> dense(100) -> relu -> linear(1) }`", &[("param = gmp", "param = gmp\nmodel name { input -> dense(100) -> relu -> linear(1) }")]),
    ("E0208", "keep one", &[("model b(input: [2]) { input -> linear(2) }", "")]),
    ("E0209", "keep one", &[("train { loss = mae }", "")]),
    ("E0210", "use `repeat(n, stage)`", &[("dense(2) -> a", "repeat(2, dense(2))")]),
    ("E0212", "in order, `dropout` takes `p`", &[("0.1, 0.2", "0.1")]),
    ("E0213", "leave one of them out", &[(", units = 6", "")]),
    ("E0214", "write `sgd(lr = …)`", &[("sgd(momentum", "sgd(lr = 0.1, momentum")]),
    ("E0216", "`mse`", &[("loss = 3", "loss = mse")]),
    ("E0217", "leave one of them out", &[(" + mn + mn", " + mn")]),
    ("E0224", r#"write `defaults = [gmp(scale = "drawn")"#, &[("gmp(scale = 2)", "[gmp(scale = 2)]")]),
    ("E0225", "did you mean `gmp`?", &[("gpm", "gmp")]),
    ("E0302", "let something flow into it: `input -> dense`", &[("{ dense(3)", "{ input -> dense(3)")]),
    ("E0305", "choose another name", &[("h = h", "g = h"), ("h -> linear", "g -> linear")]),
    ("E0306", "a whole number, 1 or more", &[("input.features / 2", "2")]),
    ("E0307", "begin with `input`", &[("{ 3 ->", "{ input ->")]),
    ("E0308", "use stages such as `relu`", &[("input^2 ->", "input -> relu ->")]),
    ("E0309", "a flow that is bound to no name", &[("h = input", "input")]),
    ("E0310", "use a layer such as `dense(100)`", &[("    w: weight ~ he_normal\n", "")]),
    ("E0311", "label one of them differently", &[("as a -> linear", "as b -> linear")]),
    ("E0312", "leave out `as b`", &[(" as b", "")]),
    ("E0313", "leave the label out", &[(" as a", "")]),
    ("E0314", "`-> flatten -> dense(…)`", &[("-> dense", "-> flatten -> dense")]),
    ("E0315", "`linear(units)` on one of them", &[("    change + input", "    short = input -> linear(3)\n    change + short")]),
    ("E0316", "or `flatten` each before joining", &[("concat(input, flat)", "concat(flat, flat)")]),
    ("E0317", "write `concat(a, b)`", &[("concat()", "concat(input, input)")]),
    ("E0318", "state it: `model m(input: [13])`", &[("model m {", "model m(input: [13]) {")]),
    ("E0319", "write `[13]`", &[("input: 2", "input: [13]")]),
    ("E0320", "leave `input: …` out", &[("m(input: [2])", "m")]),
    ("E0321", "write `units = …` here", &[("], units)", "], units = 8)")]),
    ("E0322", "write `task = classification`", &[("features = 3)", "features = 3, task = classification)")]),
    ("E0323", "repeat less", &[("1_000_000", "10")]),
    ("E0324", "use smaller sizes", &[("10_000_000", "10"), ("1_000_000", "100")]),
    ("E0325", "join some of them", &[("[1, 1, 1, 1, 1, 1, 1, 1, 2]", "[2]")]),
    ("E0327", "use `dense(units)` here", &[("conv(4, 3) -> global_avg_pool", "dense(4)")]),
    ("E0328", "`pad = same`", &[("pad = 1", "pad = same")]),
    ("E0329", "by half of it at most", &[("pad = 3", "pad = 1")]),
    ("E0330", "use `binary_cross_entropy`", &[("= cross_entropy", "= binary_cross_entropy")]),
    ("E0331", "write `task = classification` in the data set", &[("features = 3)", "features = 3, task = classification)")]),
    ("E0332", "`linear(data.outputs)`", &[("linear(1)", "linear(data.outputs)")]),
    ("E0333", "use `cross_entropy`, with a network that ends in `linear(data.classes)`", &[("= mse", "= cross_entropy"), ("linear(4)", "linear(data.classes)")]),
    ("E0334", "drop the sigmoid", &[(" -> sigmoid", "")]),
    ("E0335", "choose a metric", &[("[rmse]", "[accuracy]")]),
    ("E0336", "`linear(1)`", &[("linear(2)", "linear(1)")]),
    ("E0337", "use `cross_entropy`, with a network that ends in `linear(data.classes)`", &[("binary_cross_entropy", "cross_entropy"), ("linear(1)", "linear(data.classes)")]),
    ("E0338", "choose a divisor of 3", &[("groups = 2", "groups = 1")]),
    ("E0339", "or `fill = zeros`", &[("fill = reflect", "fill = zeros")]),
    ("E0340", "or `groups = depthwise`", &[("groups = 2048", "groups = depthwise")]),
    ("E0341", "pad by less than the window", &[("pad = 3", "pad = 1")]),
    ("E0402", "give it numbers", &[(r#""two""#, "2")]),
    ("E0403", "write a smaller one", &[("10^19", "10^3")]),
    ("E0404", "something that is never 0", &[("(input.features - 2)", "input.features")]),
    ("E0405", "check the numbers that go in", &[("0 - 1", "0.01")]),
    ("E0406", "as in `stride == 1`", &[("input.features {", "input.features == 1 {")]),
    ("E0407", "add an arm `bn => …`", &[("gmp => 0.1 }", "gmp => 0.1, bn => 0.1 }")]),
    ("E0408", "use `if … { … } else { … }`", &[("match n { _ => 3 }", "if n > 2 { 3 } else { n }")]),
    ("E0410", "use numbers", &[("(input -> relu)", "3")]),
    ("E0413", "`ceil`", &[("rond", "ceil")]),
    ("E0501", "write `units` alone", &[("units: [3]", "units")]),
    ("E0502", "write `loss mine(prediction, target)`", &[("(a, b) { mean((a - b)^2) }", "(prediction, target) { mean((prediction - target)^2) }")]),
    ("E0503", "write `better = higher`", &[("bigger", "higher")]),
    ("E0506", "add a line `b = …`", &[("w = w }", "w = w  b = b }")]),
    ("E0551", "start the parameter from numbers", &[("mean(x)", "1")]),
    ("E0552", "these can be called here", &[("square(", "abs(")]),
    ("E0553", "give it as many as it takes", &[("abs(prediction, target)", "abs(prediction)")]),
    ("E0554", "`dot(w, x)`", &[("w + x", "dot(w, x)")]),
    ("E0555", "reduce it", &[("= w\n", "= norm(w)\n")]),
    ("E0556", "use `min`, `max`", &[("if prediction > 0 { mean(prediction) } else { mean(target) }", "mean(max(prediction, target))")]),
    ("E0557", "give a number", &[(r#""one""#, "1")]),
    ("E0558", "check its operands", &[("0 - 1", "2")]),
    ("E0559", "functions", &[("prediction -> relu", "max(prediction, 0)")]),
    ("E0507", "write `activation steep(s)", &[("steep {", "steep(s) {")]),
    ("E0512", "or leave `mean` out", &[("mean(g, over = inputs)", "g")]),
    ("E0514", "an argument that is a whole number", &[("init = he_normal", "init = he_normal, rank = 4")]),
    ("E0515", "write `frozen`", &[("fixed", "frozen")]),
    ("E0516", "the last axis of the first one", &[("product(b, a)", "product(a, b)")]),
    ("E0517", "a number that divides 8", &[("n = 3", "n = 4")]),
    ("E0518", "write a `stage`", &[("activation centred(s) { s - mean(s) }", "stage centred(momentum = 0.1) { x - mean(x) }")]),
    ("E0519", "take a `mean` over batch and features", &[("mean(mean(prediction - target, over = batch)^2)", "mean((prediction - target)^2)")]),
    ("E0560", "bind with `=`", &[("m: state = 0\n mean(", "m = 1\n mean(m * ")]),
    ("E0561", "end with the expression", &[("e = mean", "mean")]),
    ("E0563", "say over which axes", &[("norm(x)", "norm(x, over = features)")]),
    ("E0564", "use `dot` with a weight and `x`", &[("norm(w)", "dot(w, x)")]),
    ("E0565", "`act(s + b)`", &[("    dot(w, x)", "    act(dot(w, x))")]),
    ("E0566", "or rebind `x`", &[("t = t - mean(t)", "x = x - mean(x)")]),
    ("E0568", "0.1 is usual", &[("momentum = 2", "momentum = 0.1")]),
    ("E0570", "write `dot(w, x)`", &[("dot(x, w)", "dot(w, x)")]),
    ("E0572", "give it `prediction`", &[("pick(target, prediction)", "pick(prediction, target)")]),
    ("E0573", "in `mean(…)`", &[("(prediction - target)^2 }", "mean((prediction - target)^2) }")]),
    ("E0574", "mean(t^2) - mean(t)^2", &[("mean((t - mean(t))^2)", "mean(t^2) - mean(t)^2")]),
    ("E0575", "`m: state = 0`", &[("m: state ~ he_normal", "m: state = 0")]),
    ("E0578", "or a list with a number for each class", &[("[1, 2]", "[1, 2, 1]")]),
    ("E0579", "`area(prediction, target)` alone", &[("2 * area(prediction, target) - 1", "area(prediction, target)")]),
    ("E0589", "write `deviation * normal(-2, 2)`", &[("normal(2, -2)", "normal(-2, 2)")]),
    ("E0592", "draw it: `w: weight ~ init`", &[("w: weight = first_batch(var(s))", "w: weight ~ he_normal")]),
    ("E0603", "a whole number, 1 or more", &[("epochs = 0", "epochs = 10")]),
    ("E0606", "write `sgd(lr = 0.01)`", &[("sgd(0)", "sgd(lr = 0.01)")]),
    ("E0607", "write `optimizer mine(lr, …)`", &[("rate", "lr")]),
    ("E0608", "leave one of them out", &[("[rmse, rmse]", "[rmse]")]),
    ("E0609", "such as `loss = mse`", &[("epochs = 3", "loss = mse  epochs = 3")]),
    ("E0610", "write `valid.loss`", &[("early_stop(loss)", "early_stop(valid.loss)")]),
    ("E0611", "did you mean `valid`?", &[("vaild", "valid")]),
    ("E0612", "`metrics = [rmse]`", &[("loss = mse ", "loss = mse  metrics = [rmse] ")]),
    ("E0613", "monitor `train.loss`", &[("valid.loss", "train.loss")]),
    ("E0614", "did you mean `cosine`?", &[("cosin(", "cosine(")]),
    ("E0615", "leave one of them out", &[("epochs = 1, ", "")]),
    ("E0616", "write `groups = [angles(lr = 0.01)", &[("[offset]", "[offset(lr = 0.01)]")]),
    ("E0617", "kinds and layers: `offset`", &[("angles(lr", "weight(lr")]),
    ("E0618", "leave a layer out of `freeze`", &[("  freeze = [last]", "")]),
    ("E0619", "use a larger `batch`", &[("accumulate = 4", "batch = 128")]),
    ("E0620", "known here: `base`, `epoch`", &[("epochs_done", "epoch")]),
    ("E0621", "`count(at <= epoch)` makes a number of a list", &[("(at <= epoch)", "count(at <= epoch)")]),
    ("E0640", "or leave `nesterov` out", &[(", nesterov = true", "")]),
    ("E0641", "write `better = higher`", &[("{ mean(abs", "{\n better = higher\n mean(abs")]),
    ("E0701", r#"`data = table("my.csv", target = "price")`"#, &[("data = 3", r#"data = table("my.csv", target = "price")"#)]),
    ("E0702", "write `task = classification`", &[("task = regression", "task = classification")]),
    ("E0703", "did you mean `random`?", &[("rando(", "random(")]),
    ("E0704", "write `split = random(train = 0.8)`", &[("split = given", "split = random(train = 0.8)")]),
    ("E0705", r#"add `file = table("data.csv")`"#, &[("{ target = 2 }", r#"{ file = table("data.csv")  target = 2 }"#)]),
    ("E0706", "`table`", &[("excel", "table")]),
    ("E0707", r#"add `target = "price"`"#, &[("features = 2", r#"features = 2, target = "price""#)]),
    ("E0708", r#"write `table("data.csv", …)`"#, &[("table(target", r#"table("data.csv", target"#)]),
    ("E0710", "known here: `x`", &[("2 * z", "2 * x")]),
    ("E0711", "`sqrt`", &[(r#""one""#, "sqrt(2)")]),
    ("E0712", "put `{split}`", &[("train.txt", "train_{split}.txt"), ("test.txt", "test_{split}.txt")]),
    ("E0714", "a crop of that size", &[("random_crop(28)", "random_crop(32)")]),
    ("E0715", "`transform = [resize(368), center_crop(224)]`", &[("classes = 2)", "classes = 2, transform = [resize(368), center_crop(224)])")]),
    ("E0716", "or `normalize = none`", &[("standardize = none", "normalize = none")]),
    ("E0717", "resize to a larger size first", &[("center_crop(40)", "[resize(48), center_crop(40)]")]),
    ("E0718", "write it in `train { augment = […] }`", &[("(transform = [horizontal_flip])", ""), ("linear(data.classes) }", "linear(data.classes) }\ntrain { loss = cross_entropy  augment = [horizontal_flip] }")]),
    ("E0719", "`channels`", &[("means(mean = [0.5, 0.5, 0.5])", "channels")]),
    ("W0901", "remove it", &[("    hidden = input -> dense(3)\n", "")]),
    ("W0902", "remove it", &[("block b { input -> relu }\n", "")]),
    ("W0903", "leave it out", &[("  select = test", "")]),
    ("W0904", "monitor `valid`", &[("test.loss", "valid.loss")]),
    ("W0911", "write `dropout(0.2)`", &[("dropout(0.8)", "dropout(0.2)")]),
    ("W0912", "`momentum = 0.01` here", &[("momentum = 0.99", "momentum = 0.01")]),
    ("W0913", "drop the `relu`", &[("linear(3) -> relu", "linear(3)")]),
    ("W0914", "`groups = [angles(weight_decay = 0)]` in `train`", &[("weight_decay = 0.1) }", "weight_decay = 0.1)  groups = [angles(weight_decay = 0)] }")]),
    ("W0915", "give it more features", &[("dense(1)", "dense(8)")]),
    ("W0917", "`input: [1, 28, 28]`", &[("[28, 28]", "[1, 28, 28]")]),
];

/// Rows of a step.
const ROWS: usize = 4;

/// The last program that can be made of a network.
fn goal_of(network: &Network) -> Goal {
    match &network.module.training {
        Some(training) if training.optimizer.is_some() => Goal::Train,
        Some(_) => Goal::Evaluate,
        None => Goal::Predict,
    }
}

/// What is said about a text: of codes of the grammar by the reader alone, as their programs are no whole experiments.
fn said(code: &str, text: &str) -> Vec<Diagnostic> {
    if code.starts_with("E01") {
        let id = Sources::default().add(Source { name: "advice.gmpnet".into(), text: text.into() });
        return gmpc_grammar::read(text, id).1;
    }
    let request = Request {
        file: Source { name: "advice.gmpnet".into(), text: text.into() },
        overrides: Overrides::default(),
        directories: Directories { data: "nowhere".into(), beside: None },
        device: Arc::new(Cpu::default()),
        observer: Arc::new(Silent),
    };
    let found = network(&request).and_then(|(network, warnings)| {
        // As `gmpc check` does, since definitions are worked through with the programs.
        for goal in [Goal::Predict, Goal::Evaluate, Goal::Train] {
            network.program(goal, ROWS)?;
            if goal == goal_of(&network) {
                break;
            }
        }
        Ok(warnings.diagnostics)
    });
    match found {
        Ok(warnings) => warnings,
        Err(Failure::File { diagnostics, .. }) => diagnostics,
        Err(_) => vec![], // data that are not here
    }
}

/// The text with what stands at the place replaced by the name that the help offers.
fn meant(text: &str, found: &Diagnostic) -> Option<String> {
    let name = found.help.as_deref()?.strip_prefix("did you mean `")?.split('`').next()?;
    let span = found.labels.first()?.span;
    let (start, end) = (span.start as usize, span.end as usize);
    Some(format!("{}{name}{}", text.get(..start)?, text.get(end..)?))
}

#[test]
fn every_help_that_proposes_an_edit_helps() {
    let mut known: BTreeSet<&str> = FOLLOWED.iter().map(|(code, ..)| *code).collect();
    known.extend(NO_EDIT.iter().map(|(code, _)| *code));
    let mut tried = 0;
    for page in pages().filter(|page| !page.wrong.trim().is_empty()) {
        let before = said(page.code, page.wrong);
        let Some(found) = before.iter().find(|found| found.code == page.code) else {
            panic!("{}: its program does not raise it", page.code);
        };
        let help = found.help.as_deref().unwrap_or_else(|| panic!("{} has no help", page.code));
        let after = match FOLLOWED.iter().find(|(code, ..)| *code == page.code) {
            Some((code, says, edits)) => {
                assert!(help.contains(says), "{code}: the help is another one by now, try it: {help}");
                edits.iter().fold(page.wrong.to_string(), |text, (find, put)| {
                    assert!(text.contains(find), "{code}: no {find:?} in\n{text}");
                    text.replace(find, put)
                })
            }
            None => match meant(page.wrong, found) {
                Some(text) => text,
                None if known.contains(page.code) => continue,
                None => panic!("{}: nobody has tried its help: {help}", page.code),
            },
        };
        let told = said(page.code, &after);
        let codes = |found: &[Diagnostic]| found.iter().map(|one| one.code).collect::<BTreeSet<_>>();
        let mut new = &codes(&told) - &codes(&before);
        for (_, next) in LEADS_ON.iter().filter(|(code, _)| *code == page.code) {
            new.remove(next);
        }
        assert!(!codes(&told).contains(page.code), "{}: still there after `{help}`:\n{after}", page.code);
        assert!(new.is_empty(), "{}: `{help}` brings {new:?}:\n{after}", page.code);
        tried += 1;
    }
    println!("help of {tried} codes was followed");
    assert!(tried > 150, "{tried}");
}
