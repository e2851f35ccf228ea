//! SIGINT, SIGTERM and SIGHUP. The first signal lets the present step end and be saved; the second stops the process at
//! once. As long as there is nothing to save, because the network compiles or data are read, the first signal stops the
//! process at once too.
//!
//! Only commands that save something handle signals. The others are ended by the signal itself.

use crate::failure::{Failure, Kind};
use signal_hook::consts::{SIGABRT, SIGINT, SIGTERM};
#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGXFSZ};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Flags that signals set.
#[derive(Debug, Clone)]
pub struct Interrupt {
    /// True after the first signal. The library checks it between steps.
    pub stop: Arc<AtomicBool>,
    /// True until there is something to save.
    preparing: Arc<AtomicBool>,
    /// Number of the last signal; 0 if there was none.
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// From now on, the first signal lets the present step end.
    pub fn begun(&self) {
        self.preparing.store(false, Ordering::SeqCst);
    }

    /// The failure of a command that a signal ended. The texts say what was saved.
    pub fn stopped(&self, message: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure::with_help(Kind::Stopped(self.number()), message, help)
    }

    /// The number of the signal; SIGINT if there was none.
    fn number(&self) -> i32 {
        match i32::try_from(self.signal.load(Ordering::Relaxed)) {
            Ok(signal) if signal != 0 => signal,
            _ => SIGINT,
        }
    }
}

/// Begins to handle signals. On the second signal, and on the first before [`Interrupt::begun`], the process exits at
/// once with 128 plus the signal's number. No file is damaged, because each is written under another name and then
/// renamed.
///
/// # Errors
/// The operating system refuses a handler.
pub fn listen() -> Result<Interrupt, Failure> {
    let preparing = Arc::new(AtomicBool::new(true));
    let interrupt = Interrupt { stop: Arc::default(), preparing, signal: Arc::default() };
    for signal in signals() {
        // The order matters: the shutdown must check the flag before this signal itself sets it.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&interrupt.preparing))
            .and_then(|_| flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&interrupt.stop)))
            .and_then(|_| flag::register_usize(signal, Arc::clone(&interrupt.signal), signal.unsigned_abs() as usize))
            .and_then(|_| flag::register(signal, Arc::clone(&interrupt.stop)))
            .map_err(|error| Failure::new(Kind::Io, format!("cannot listen to signals: {error}")))?;
    }
    Ok(interrupt)
}

/// The signals that end a program with something to save. A closed terminal (SIGHUP) is one of them, unless the signal
/// is already ignored: then the program was started to outlive its terminal (`nohup`).
fn signals() -> Vec<i32> {
    #[cfg(unix)]
    if !is_ignored(SIGHUP) {
        return vec![SIGINT, SIGTERM, SIGHUP];
    }
    vec![SIGINT, SIGTERM]
}

/// True if the process was started with this signal ignored, or if the system does not tell.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_none_or(|mask| mask & (1 << (signal - 1)) != 0)
}

/// The exit code if memory runs out: the device could not run the program.
const NO_MEMORY: i32 = 5;

/// Turns signals of the system into documented exit codes. A failed allocation aborts (SIGABRT) after the standard
/// library has printed its size. A file beyond a limit (`ulimit -f`, SIGXFSZ) becomes a write error.
pub fn install_exit_codes() {
    // If the handler is refused, the process ends by the signal itself, so the error is ignored.
    let _ = flag::register_conditional_shutdown(SIGABRT, NO_MEMORY, Arc::new(AtomicBool::new(true)));
    #[cfg(unix)]
    let _ = flag::register(SIGXFSZ, Arc::default());
}
