//! SIGINT and SIGTERM: the first lets the running step end and be saved, the second stops the process at once.
//!
//! Only commands that save something listen; the others are ended by the signal itself, as programs are.

use crate::failure::{Failure, Kind};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Set by signals from now on.
#[derive(Debug, Clone)]
pub struct Interrupt {
    /// True after the first signal: what the library looks at between steps.
    pub stop: Arc<AtomicBool>,
    /// Which signal it was; 0 for none.
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// The failure that says by which signal the work ended, with what was saved.
    pub fn stopped(&self, message: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure::with_help(Kind::Stopped(self.number()), message, help)
    }

    /// The signal's number; SIGINT where none came.
    fn number(&self) -> i32 {
        match i32::try_from(self.signal.load(Ordering::Relaxed)) {
            Ok(signal) if signal != 0 => signal,
            _ => SIGINT,
        }
    }
}

/// Starts listening. On the second signal the process exits with 130 or 143 there and then; files are valid all the same,
/// for each is written aside and renamed.
///
/// # Errors
/// The system refuses a handler.
pub fn listen() -> Result<Interrupt, Failure> {
    let interrupt = Interrupt { stop: Arc::default(), signal: Arc::default() };
    for signal in [SIGINT, SIGTERM] {
        // In this order: the shutdown looks at the flag before this signal itself sets it.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&interrupt.stop))
            .and_then(|_| flag::register_usize(signal, Arc::clone(&interrupt.signal), signal.unsigned_abs() as usize))
            .and_then(|_| flag::register(signal, Arc::clone(&interrupt.stop)))
            .map_err(|error| Failure::new(Kind::Io, format!("cannot listen to signals: {error}")))?;
    }
    Ok(interrupt)
}
