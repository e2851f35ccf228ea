//! The reader accepts any text without a panic and without hanging. Its errors point into the text.

use gmpc_grammar::diagnostic::{Diagnostic, render};
use gmpc_grammar::source::{Source, SourceId, Sources};
use gmpc_grammar::{print, read, read_expr, read_path};
use proptest::prelude::*;

const TEXTS: [&str; 4] = [
    include_str!("texts/levy.gmpnet"),
    include_str!("texts/vgg.gmpnet"),
    include_str!("texts/resnet.gmpnet"),
    include_str!("texts/definitions.gmpnet"),
];

/// Words and signs of the language, and some that only look similar.
const WORDS: [&str; 84] = [
    "model",
    "block",
    "train",
    "dataset",
    "parameterization",
    "modifier",
    "initializer",
    "optimizer",
    "loss",
    "metric",
    "use",
    "from",
    "if",
    "else",
    "match",
    "and",
    "or",
    "not",
    "as",
    "true",
    "false",
    "_",
    "input",
    "param",
    "gmp",
    "x",
    "w",
    "relu",
    "dense",
    "conv",
    "std.resnet",
    "data.classes",
    "1",
    "10_000",
    "0.1",
    "1e-5",
    "3x",
    "1e999",
    "\"text\"",
    "\"open",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "=",
    "=",
    "~",
    "->",
    "->",
    "=>",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "^",
    ".",
    "// note\n",
    "/// doc\n",
    "//! file\n",
    "\n",
    "\n",
    "\r\n",
    "\t",
    ";",
    "&&",
    "#",
    "θ",
    "\u{FEFF}",
];

/// Reads a text as a file, as an expression and as a path, and checks errors. A text without errors must survive printing.
fn check(text: &str) {
    let mut sources = Sources::default();
    let id = sources.add(Source { name: "fuzz".to_owned(), text: text.to_owned() });
    let (ast, errors) = read(text, id);
    errors.iter().for_each(|error| check_error(error, text, &sources));
    for error in [read_expr(text, id).err(), read_path(text, id).err()].into_iter().flatten() {
        check_error(&error, text, &sources);
    }
    if errors.is_empty() {
        let once = print(&ast);
        let (again, errors) = read(&once, id);
        assert_eq!(errors, [], "printed as\n{once}");
        assert_eq!(gmpc_grammar::dump(&ast), gmpc_grammar::dump(&again), "printed as\n{once}");
        assert_eq!(print(&again), once);
    }
}

fn check_error(error: &Diagnostic, text: &str, sources: &Sources) {
    assert!(error.code.starts_with("E01") && !error.labels.is_empty() && error.help.is_some(), "{error:?}");
    for label in &error.labels {
        let (start, end) = (label.span.start as usize, label.span.end as usize);
        assert_eq!(label.span.source, SourceId(0));
        assert!(start <= end && text.get(start..end).is_some(), "{start}..{end} of {} in {error:?}", text.len());
    }
    let shown = render(error, sources);
    let inside = ["_word", "brace_open", "paren_", "list_open", "list_close", "EOI", "fat_arrow"];
    assert!(!inside.iter().any(|rule| error.message.contains(rule)), "a rule's name in {shown}");
}

/// Returns a text in which pieces are cut, doubled, swapped and overwritten.
fn mutated(text: &str, changes: &[(u8, prop::sample::Index, prop::sample::Index, u8)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (what, from, to, value) in changes {
        if bytes.is_empty() {
            break;
        }
        let (a, b) = (from.index(bytes.len()), to.index(bytes.len()));
        let (a, b) = (a.min(b), a.max(b).min(a.min(b) + 60));
        match what % 5 {
            0 => drop(bytes.drain(a..b)),
            1 => {
                let piece = bytes[a..b].to_vec();
                bytes.splice(a..a, piece);
            }
            2 => bytes.swap(a, b),
            3 => bytes[a] = *value,
            _ => bytes.truncate(bytes.len() - b % 20),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn changes() -> impl Strategy<Value = Vec<(u8, prop::sample::Index, prop::sample::Index, u8)>> {
    prop::collection::vec(any::<(u8, prop::sample::Index, prop::sample::Index, u8)>(), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_ascii_is_survived(text in "[ -~\n]{0,80}") {
        check(&text);
    }

    #[test]
    fn any_row_of_words_is_survived(
        words in prop::collection::vec((prop::sample::select(WORDS.to_vec()), any::<bool>()), 0..40)
    ) {
        let text: String = words.iter().map(|(word, glued)| format!("{word}{}", if *glued { "" } else { " " })).collect();
        check(&text);
    }

    #[test]
    fn any_slip_in_a_file_is_survived(which in 0..TEXTS.len(), changes in changes()) {
        check(&mutated(TEXTS[which], &changes));
    }
}

/// Size of a small stack in KiB. An unoptimized build gets more, because its frames are several times larger.
const SMALL: usize = if cfg!(debug_assertions) { 2048 } else { 256 };

/// Runs a task in a thread with this stack size, as a program that embeds the reader might do.
fn in_thread(kibibytes: usize, task: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(kibibytes << 10).spawn(task).expect("a thread");
    thread.join().expect("no panic");
}

/// Reads a text in its own thread and returns the codes of its errors. The tree is dropped in the same thread, because dropping a
/// deep tree needs stack as well. It is printed only if the stack is larger than `SMALL`.
fn codes(kibibytes: usize, text: String) -> Vec<&'static str> {
    let (send, receive) = std::sync::mpsc::channel();
    in_thread(kibibytes, move || {
        let (ast, errors) = read(&text, SourceId(0));
        if errors.is_empty() && kibibytes > SMALL {
            assert!(!print(&ast).is_empty() && !gmpc_grammar::dump(&ast).is_empty());
        }
        drop(ast);
        let _ = send.send(errors.iter().map(|error| error.code).collect());
    });
    receive.recv().expect("an answer")
}

const BRACKETS: [(&str, &str); 6] = [
    ("(", ")"),
    ("[", "]"),
    ("f(", ")"),
    ("if a { ", " } else { b }"),
    ("a -> b(c, d = ", ")"),
    ("match a { _ => ", " }"),
];

const CHAINS: [&str; 6] = ["- ", "not ", "a ^ ", "a + ", "a and ", "if a { b } else "];

fn nested((open, close): (&str, &str), n: usize) -> String {
    format!("x = {}1{}", open.repeat(n), close.repeat(n))
}

fn chained(chain: &str, n: usize) -> String {
    format!("x = {}{}", chain.repeat(n), if chain.starts_with("if") { "{ c }" } else { "a" })
}

#[test]
fn depth_has_its_own_error() {
    for n in [200, 20_000] {
        BRACKETS.iter().for_each(|pair| assert_eq!(codes(SMALL, nested(*pair, n)), ["E0102"], "{pair:?}"));
        CHAINS.iter().for_each(|chain| assert_eq!(codes(SMALL, chained(chain, n)), ["E0102"], "{chain}"));
    }
}

#[test]
fn the_deepest_allowed_nesting_is_read() {
    BRACKETS.iter().for_each(|pair| assert_eq!(codes(4 * SMALL, nested(*pair, 63)), [""; 0], "{pair:?}"));
    CHAINS.iter().for_each(|chain| assert_eq!(codes(4 * SMALL, chained(chain, 126)), [""; 0], "{chain}"));
}

#[test]
fn a_small_stack_does_not_overflow() {
    for n in (8..=64).step_by(8) {
        for pair in BRACKETS {
            // The parser may stop before the limit of depth, with an error of its own.
            let codes = codes(SMALL, nested(pair, n));
            assert!(codes.is_empty() || codes == ["E0103"] || codes == ["E0102"], "{codes:?} for {n} times {pair:?}");
        }
    }
}

#[test]
fn large_texts_neither_hang_nor_overflow() {
    // At this size a test would notice a reader whose time grows with the square of the text.
    let size = if cfg!(debug_assertions) { 1 << 14 } else { 1 << 17 };
    // A repeated piece opens something at every place without closing it, or makes one very long chain or line.
    for piece in [
        "(",
        ")",
        "{",
        "}",
        "[",
        "\"",
        "\"\n",
        "a",
        "a ",
        "a = ",
        "a = 1\n",
        "- ",
        "->",
        "model a {",
        "model a {}\n",
        "// x\n",
        "/// x\n",
        "\n",
        "θ",
        ";",
        "a.b.",
        "1e",
        "f(",
        "f(a,",
        "match a { ",
        "if a { b } ",
        "x = [1 2]\n",
        "\u{FEFF}",
    ] {
        let text = piece.repeat(size / piece.len());
        in_thread(SMALL, move || drop(read(&text, SourceId(0))));
    }
    // A text above 4 MiB is refused, even if it is blank.
    let (_, errors) = read(&" ".repeat((4 << 20) + 1), SourceId(0));
    assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), ["E0101"]);
}
