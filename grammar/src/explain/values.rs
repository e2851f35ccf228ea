//! Pages about expressions, flows and arguments.

use super::Page;

#[rustfmt::skip] // one page after the other, texts as they would stand in a file
pub const PAGES: &[Page] = &[
    Page {
        code: "E0135",
        about: "A dot is between the digits of a number, with at least one digit on each side, or between the parts of a \
                name, without blanks.",
        wrong: "lr = .1",
        right: "lr = 0.1",
    },
    Page {
        code: "E0136",
        about: "The parenthesis of a call comes directly after its name. With a blank between, `dense (100)` could also be \
                two values.",
        wrong: r"model m {
    input -> dense (100)
}",
        right: r"model m {
    input -> dense(100)
}",
    },
    Page {
        code: "E0137",
        about: "`[ ]` makes a list. It never takes an element from one. Sizes have names instead: `input.channels`, \
                `data.classes`.",
        wrong: r"model m {
    input -> dense(input.shape[0])
}",
        right: r"model m {
    input -> dense(input.channels)
}",
    },
    Page {
        code: "E0138",
        about: "`as name` comes after a stage of a flow and names its parameters. One stage has one label. Other values get \
                a name with `name = …`.",
        wrong: r"model m {
    h = input as start
    h -> relu
}",
        right: r"model m {
    h = input -> identity as start
    h -> relu
}",
    },
    Page {
        code: "E0139",
        about: "A stage after `->` is a layer or a block: a name, a call, or an `if` or `match` that chooses one. To add \
                flows, give them names first: `a + b -> relu`.",
        wrong: r"model m {
    input -> 3
}",
        right: r"model m {
    input -> dense(3)
}",
    },
    Page {
        code: "E0140",
        about: "A flow begins with a tensor, usually `input`. Each `->` leads into a stage.",
        wrong: r"model m {
    -> dense(100) -> relu
}",
        right: r"model m {
    input -> dense(100) -> relu
}",
    },
    Page {
        code: "E0141",
        about: "`=` gives a name to a value. To compare, write `==`.",
        wrong: r"block b(stride) {
    input -> if stride = 1 { relu } else { tanh }
}",
        right: r"block b(stride) {
    input -> if stride == 1 { relu } else { tanh }
}",
    },
    Page {
        code: "E0142",
        about: "A `match` has arms, each a pattern, `=>` and a value, with `,` between them. `_` stands for \
                everything else.",
        wrong: r"train {
    lr = match param { gmp -> 0.1, _ -> 0.01 }
}",
        right: r"train {
    lr = match param { gmp => 0.1, _ => 0.01 }
}",
    },
    Page {
        code: "E0143",
        about: "An `if` is a value, so it needs a value in both cases. The stage `identity` does nothing.",
        wrong: r"block b(deep) {
    input -> if deep { relu }
}",
        right: r"block b(deep) {
    input -> if deep { relu } else { identity }
}",
    },
    Page {
        code: "E0144",
        about: "The condition comes directly after `if`, the subject directly after `match`. Then the branches or arms \
                follow in braces. A branch contains one expression.",
        wrong: r"block b(deep) {
    input -> if deep relu else tanh
}",
        right: r"block b(deep) {
    input -> if deep { relu } else { tanh }
}",
    },
    Page {
        code: "E0145",
        about: "An argument of a call may have a name. It gets its value with `=`. Nothing else in brackets can have a \
                name.",
        wrong: r"model m {
    input -> conv(64, 3, stride: 2)
}",
        right: r"model m {
    input -> conv(64, 3, stride = 2)
}",
    },
    Page {
        code: "E0146",
        about: "Values in parentheses and lists, and the arms of a `match`, are separated by single commas. One comma may \
                follow the last of them.",
        wrong: "metrics = [rmse mae]",
        right: "metrics = [rmse, mae]",
    },
    Page {
        code: "E0147",
        about: "`+ * / ^`, comparisons, `and` and `or` need a value on both sides. `-` and `not` need one after them.",
        wrong: "seed = 1 +",
        right: "seed = 1 + 2",
    },
    Page {
        code: "E0148",
        about: "A value is needed here: a number, a string, a name, a call, a list, an `if`, a `match` or a flow.",
        wrong: "seed = _",
        right: "seed = 1",
    },
    Page {
        code: "E0149",
        about: "A `-` at the start of a line, without a blank before its operand, could continue the line above or begin a \
                new value. With a blank after it, it continues the line. In parentheses, it begins a new value.",
        wrong: r"loss l(prediction, target) {
    gain = prediction * target
    -gain
}",
        right: r"loss l(prediction, target) {
    gain = prediction * target
    (-gain)
}",
    },
    Page {
        code: "E0150",
        about: "The result of a comparison is `true` or `false`, which cannot be compared with a number. Write two \
                comparisons.",
        wrong: r"block b(n) {
    input -> if 1 < n < 5 { relu } else { tanh }
}",
        right: r"block b(n) {
    input -> if 1 < n and n < 5 { relu } else { tanh }
}",
    },
    Page {
        code: "E0151",
        about: "Arguments without names come first, in the order of the parameters. After a named argument, their order \
                would have no meaning.",
        wrong: r"model m {
    input -> conv(kernel = 3, 64)
}",
        right: r"model m {
    input -> conv(64, kernel = 3)
}",
    },
    Page {
        code: "E0152",
        about: "Each argument is given once.",
        wrong: r"model m {
    input -> conv(64, 3, stride = 1, stride = 2)
}",
        right: r"model m {
    input -> conv(64, 3, stride = 2)
}",
    },
    Page {
        code: "E0153",
        about: "Each parameter of a definition has a name of its own.",
        wrong: r"block b(n, n) {
    input -> dense(n)
}",
        right: r"block b(n, m) {
    input -> dense(n) -> dense(m)
}",
    },
    Page {
        code: "E0154",
        about: "Each setting of a file, of `train` and of a `dataset` is given once.",
        wrong: r"param = gmp
param = sp",
        right: "param = gmp",
    },
    Page {
        code: "E0158",
        about: "The value of `--set` or `--param` is one expression, and the key of `--set` is one name.",
        wrong: "",
        right: "",
    },
];
