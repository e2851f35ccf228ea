//! Pages about characters, numbers, strings and brackets.

use super::Page;

#[rustfmt::skip] // one page after the other, texts as they would stand in a file
pub const PAGES: &[Page] = &[
    Page {
        code: "E0100",
        about: "The language does not allow this text here, and no more special error fits. The help says what would be \
                allowed.",
        wrong: "data = gmp => levy",
        right: "data = levy",
    },
    Page {
        code: "E0101",
        about: "A text of more than 4 MiB is not read. It is probably data, or the wrong file.",
        wrong: "",
        right: "",
    },
    Page {
        code: "E0102",
        about: "At most 64 brackets may be open at once, and an expression may be at most 128 operations deep. Give inner \
                parts names of their own.",
        wrong: "lr = (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))",
        right: "lr = 1",
    },
    Page {
        code: "E0103",
        about: "The reader ran out of stack before it reached its own limits. This happens only in a thread with a very \
                small stack. Give inner parts names of their own, or read the text in a thread with more stack.",
        wrong: "",
        right: "",
    },
    Page {
        code: "E0104",
        about: "Every `(`, `[` and `{` needs its closing bracket. The first label shows the opening bracket. The second \
                label shows where the reader noticed that it is not closed. The closing bracket may be missing some \
                lines before this place.",
        wrong: r"model levy {
    input -> dense(100 -> relu
}",
        right: r"model levy {
    input -> dense(100) -> relu
}",
    },
    Page {
        code: "E0105",
        about: "A bracket is closed by a bracket of the same kind: `(` by `)`, `[` by `]`, `{` by `}`.",
        wrong: "metrics = [rmse, mae)",
        right: "metrics = [rmse, mae]",
    },
    Page {
        code: "E0106",
        about: "There is a closing bracket, but no open one: it is one too many, or the opening bracket is missing.",
        wrong: r"model levy {
    input -> dense(100)) -> relu
}",
        right: r"model levy {
    input -> dense(100) -> relu
}",
    },
    Page {
        code: "E0107",
        about: "A string begins and ends with `\"` on one line. A line end inside it is written `\\n`.",
        wrong: r#"data = table(file = "yacht.csv)"#,
        right: r#"data = table(file = "yacht.csv")"#,
    },
    Page {
        code: "E0108",
        about: "A backslash in a string begins an escape: `\\n` line end, `\\t` tab, `\\r` carriage return, `\\0` zero, \
                `\\\"` and `\\\\`. There are no others. Paths can be written with `/` on every system.",
        wrong: r#"data = table(file = "data\yacht.csv")"#,
        right: r#"data = table(file = "data/yacht.csv")"#,
    },
    Page {
        code: "E0109",
        about: "A number is written `64`, `10_000`, `0.1` or `1e-5`: digits, grouped with single `_` between two of \
                them, perhaps a dot with digits on both sides, perhaps an exponent. There are no hexadecimal numbers \
                and no units.",
        wrong: "seed = 0x10",
        right: "seed = 16",
    },
    Page {
        code: "E0110",
        about: "Integers go up to 18446744073709551615, which is 2^64 - 1.",
        wrong: "seed = 99999999999999999999",
        right: "seed = 9_999_999_999",
    },
    Page {
        code: "E0111",
        about: "Floats go up to about 1.797e308, the largest 64-bit float.",
        wrong: "lr = 1e999",
        right: "lr = 1e-9",
    },
    Page {
        code: "E0112",
        about: "No sign ends a statement. The next statement begins with its name and `=`, on the same line or on another \
                one.",
        wrong: "seed = 1;",
        right: "seed = 1",
    },
    Page {
        code: "E0113",
        about: "The operators are `+ - * / ^`, `== != < <= > >=`, `and or not` and `->`. The help says what to write \
                instead of an operator of another language.",
        wrong: r"block b(stride, deep) {
    input -> if stride == 1 && deep { relu } else { tanh }
}",
        right: r"block b(stride, deep) {
    input -> if stride == 1 and deep { relu } else { tanh }
}",
    },
    Page {
        code: "E0114",
        about: "A comment is `// …` up to the end of its line. `///` documents the next definition or named value, \
                `//!` the file.",
        wrong: "seed = 1  # for the figure",
        right: "seed = 1  // for the figure",
    },
    Page {
        code: "E0115",
        about: "A string is written between two `\"`. Names of layers, data sets and metrics are not strings and need no \
                quotes.",
        wrong: "metrics = ['rmse']",
        right: "metrics = [rmse]",
    },
    Page {
        code: "E0116",
        about: "Outside strings and comments, a text consists of letters from a to z, digits, `_` and the signs of the \
                language. Greek letters are spelled out: `theta`.",
        wrong: r"parameterization p {
    θ: angles ~ uniform_direction
    act(dot(spherical(θ), x))
}",
        right: r"parameterization p {
    theta: angles ~ uniform_direction
    act(dot(spherical(theta), x))
}",
    },
];
