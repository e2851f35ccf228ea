//! A panic is a bug in gmpc. This module prints it in two lines with a next step, and exits with code 70. The message
//! of an internal error of the compiler (`gmpc_compiler::internal`) has more lines: the intermediate representation
//! that broke a rule.

use std::io::Write;

/// The exit code of an internal error (`EX_SOFTWARE`).
pub const EXIT_CODE: i32 = 70;

/// Replaces the panic message. The process then ends with [`EXIT_CODE`], whichever thread panicked.
pub fn install_message() {
    std::panic::set_hook(Box::new(|info| {
        // A panic in an external image decoder is caught by its caller, which names the file.
        if gmpc_data::images::is_guarded() {
            return;
        }
        let what = info
            .payload()
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| info.payload().downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_string());
        let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        // Not `eprintln!`, which itself panics when standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "bug in gmpc {}: {}\n  help: this is our mistake, not yours; please report it with the command, the file and this message",
            env!("CARGO_PKG_VERSION"),
            placed(&what, &place),
        );
        std::process::exit(EXIT_CODE);
    }));
}

/// Puts the source position of a panic after the first line of its message.
fn placed(what: &str, place: &str) -> String {
    match what.trim_end().split_once('\n') {
        Some((first, rest)) => format!("{first}{place}\n{rest}"),
        None => format!("{what}{place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Starts this test in another process, in which it panics.
    const ASKED: &str = "GMPC_TEST_PANICS";

    /// Runs a test of this file in another process.
    fn again(name: &str) -> (Option<i32>, String) {
        let mut this = Command::new(std::env::current_exe().unwrap());
        let name = format!("panic::tests::{name}");
        let output = this.args(["--exact", &name, "--nocapture"]).env(ASKED, "yes").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    #[test]
    fn a_broken_rule_of_the_compiler_ends_with_seventy_and_is_printed() {
        if std::env::var_os(ASKED).is_some() {
            install_message();
            let mut graph = gmpc_compiler::ir::graph::Graph::default();
            let x = graph.input("x", vec![2, 3]);
            graph.push(gmpc_compiler::ir::graph::Op::Neg, vec![x], vec![3, 2]);
            let harness = gmpc_compiler::stage::Harness::new(&gmpc_compiler::stage::Silent, None);
            harness.run("simplify", || graph);
        }
        let (code, said) = again("a_broken_rule_of_the_compiler_ends_with_seventy_and_is_printed");
        assert_eq!(code, Some(EXIT_CODE), "{said}");
        let shown =
            ["bug in gmpc", "simplify: ", "operands and result share one shape", "%1 = neg %0", "please report"];
        assert!(shown.iter().all(|part| said.contains(part)), "{said}");
    }

    #[test]
    fn a_panic_is_told_as_a_bug_and_ends_with_seventy() {
        if std::env::var_os(ASKED).is_some() {
            install_message();
            panic!("a promise broken");
        }
        let (code, said) = again("a_panic_is_told_as_a_bug_and_ends_with_seventy");
        assert_eq!(code, Some(EXIT_CODE), "{said}");
        assert!(
            said.contains("bug in gmpc") && said.contains("a promise broken") && said.contains("please report"),
            "{said}"
        );
    }
}
