//! A panic is a bug in gmpc: says so in two lines a person can act on, and exits with code 70.

use std::io::Write;

/// The exit code of a bug (`EX_SOFTWARE`).
pub const EXIT_CODE: i32 = 70;

/// Replaces the panic message; the process ends with [`EXIT_CODE`] from whichever thread panicked.
pub fn say_it_readably() {
    std::panic::set_hook(Box::new(|info| {
        let what = info
            .payload()
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| info.payload().downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_string());
        let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        // Written by hand: `eprintln!` itself panics when standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "bug in gmpc {}: {what}{place}\n  help: this is our mistake, not yours; please report it with the command, the file and this message",
            env!("CARGO_PKG_VERSION"),
        );
        std::process::exit(EXIT_CODE);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Asks this test, in a process of its own, to panic.
    const ASKED: &str = "GMPC_TEST_PANICS";

    #[test]
    fn a_panic_is_told_as_a_bug_and_ends_with_seventy() {
        if std::env::var_os(ASKED).is_some() {
            say_it_readably();
            panic!("a promise broken");
        }
        let name = "panic::tests::a_panic_is_told_as_a_bug_and_ends_with_seventy";
        let mut this = Command::new(std::env::current_exe().unwrap());
        let output = this.args(["--exact", name, "--nocapture"]).env(ASKED, "yes").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(EXIT_CODE), "{said}");
        assert!(
            said.contains("bug in gmpc") && said.contains("a promise broken") && said.contains("please report"),
            "{said}"
        );
    }
}
