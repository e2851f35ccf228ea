//! Pages about definitions, statements and documentation.

use super::Page;

#[rustfmt::skip] // one page after the other, texts as they would stand in a file
pub const PAGES: &[Page] = &[
    Page {
        code: "E0117",
        about: "Lines that begin with `//!` document the whole file. They come before everything else except comments.",
        wrong: r"param = gmp
//! The Levy function.",
        right: r"//! The Levy function.
param = gmp",
    },
    Page {
        code: "E0118",
        about: "A line that begins with `///` documents what follows: a definition, a setting, a named value or a \
                declared parameter. A result, `use`, `from` and the end of a body have no documentation.",
        wrong: r"loss mae(prediction, target) {
    /// Over the batch and the outputs.
    mean(abs(prediction - target))
}",
        right: r"/// Over the batch and the outputs.
loss mae(prediction, target) {
    mean(abs(prediction - target))
}",
    },
    Page {
        code: "E0119",
        about: "`and as else false from if match not or true use` are words of the language and cannot be names. All other \
                words can be names, also `model` and `train`.",
        wrong: r"block b(from) {
    input -> dense(from)
}",
        right: r"block b(units) {
    input -> dense(units)
}",
    },
    Page {
        code: "E0120",
        about: "This word belongs to another language. The help says what to write here.",
        wrong: "let seed = 1",
        right: "seed = 1",
    },
    Page {
        code: "E0121",
        about: "There is one name before `=`. A setting of `train` or `data` is written inside it. On the command line, \
                `--set train.epochs=5` changes it for one run.",
        wrong: "train.epochs = 5",
        right: r"train {
    epochs = 5
}",
    },
    Page {
        code: "E0122",
        about: "A value follows `=`, `~` and `=>`, on the same line or the next one.",
        wrong: r"train {
    loss =
    batch = 64
}",
        right: r"train {
    loss = mae
    batch = 64
}",
    },
    Page {
        code: "E0123",
        about: "A parameter is declared with its kind: `name: kind ~ initializer` or `name: kind = value`. The kinds are \
                `weight` (one value for each input of each unit), `angles` (one value less), `unit` and `offset` (one \
                value for each unit), `layer` (one value), `feature` and `position` (one for each feature or position of \
                the input), a list of axes such as `[units, rank]`, and `state` in optimizers.",
        wrong: r"parameterization p {
    w ~ he_normal
    act(dot(w, x))
}",
        right: r"parameterization p {
    w: weight ~ he_normal
    act(dot(w, x))
}",
    },
    Page {
        code: "E0124",
        about: "A declared parameter needs an initial value: `~` draws it from an initializer, `=` computes it.",
        wrong: r"parameterization p {
    w: weight
    act(dot(w, x))
}",
        right: r"parameterization p {
    w: weight ~ he_normal
    act(dot(w, x))
}",
    },
    Page {
        code: "E0125",
        about: "A setting and a named value have `=` between their name and their value.",
        wrong: r"train {
    epochs 100
}",
        right: r"train {
    epochs = 100
}",
    },
    Page {
        code: "E0126",
        about: "Stages follow each other with `->` between them.",
        wrong: r"model m {
    input -> dense(100) relu -> linear(1)
}",
        right: r"model m {
    input -> dense(100) -> relu -> linear(1)
}",
    },
    Page {
        code: "E0127",
        about: "A body consists of named values and then at most one expression without a name, its result. An earlier \
                expression without a name could not be used.",
        wrong: r"model m {
    input -> dense(100)
    y = input -> relu
}",
        right: r"model m {
    h = input -> dense(100)
    h -> relu
}",
    },
    Page {
        code: "E0128",
        about: "Every definition except `train` has a name after its first word.",
        wrong: r"model {
    input -> linear(1)
}",
        right: r"model m {
    input -> linear(1)
}",
    },
    Page {
        code: "E0129",
        about: "A file has one `train`, without a name and without parameters. Its settings are in its body.",
        wrong: r"train slowly {
    epochs = 1000
}",
        right: r"train {
    epochs = 1000
}",
    },
    Page {
        code: "E0130",
        about: "`use` is followed by the dotted name of a module.",
        wrong: "use 3",
        right: "use std.resnet",
    },
    Page {
        code: "E0131",
        about: "A definition is its word, its name, perhaps parameters in parentheses, and a body in braces.",
        wrong: r"block b(n)
    input -> dense(n)",
        right: r"block b(n) {
    input -> dense(n)
}",
    },
    Page {
        code: "E0132",
        about: "A file contains settings, `name = value`, and definitions, which begin with `model`, `block`, `train`, \
                `dataset`, `parameterization`, `modifier`, `initializer`, `optimizer`, `loss`, `metric` or `schedule`. `use` adds the \
                definitions of a module.",
        wrong: r"modle m {
    input -> linear(1)
}",
        right: r"model m {
    input -> linear(1)
}",
    },
    Page {
        code: "E0133",
        about: "Only settings and definitions are allowed at the top level. A flow belongs in the body of a model or a \
                block.",
        wrong: r"param = gmp
3",
        right: "param = gmp",
    },
    Page {
        code: "E0134",
        about: "A parameter of a definition is a name, perhaps with `: shape` and with `= default`.",
        wrong: "model m(3) { input }",
        right: "model m(input: [3]) { input }",
    },
    Page {
        code: "E0155",
        about: "Only a `dataset` can have a dotted name, as in `uci.yacht`. The names of other definitions are single words.",
        wrong: "model my.net { input }",
        right: "model net { input }",
    },
    Page {
        code: "E0156",
        about: "`train` and `dataset` contain settings and nothing else. Digits of a number are grouped with `_`, never \
                with blanks.",
        wrong: r"train {
    epochs = 10 000
}",
        right: r"train {
    epochs = 10_000
}",
    },
    Page {
        code: "E0157",
        about: "`from(w, b) { … }` computes the parameters of a parameterization from plain weights. Only a \
                parameterization has it, and only once.",
        wrong: r"modifier m {
    from(w, b) { v = w }
    x = x - mean(x)
}",
        right: r"modifier m {
    x = x - mean(x)
}",
    },
];
