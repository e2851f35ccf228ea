//! Work without Python's lock. Other threads of Python go on meanwhile, and Ctrl-C is heard.

use crate::failure::raised;
use gmpc_runtime::failure::{Failure, Message};
use pyo3::prelude::*;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How long Ctrl-C waits at most to be noticed.
const PATIENCE: Duration = Duration::from_millis(50);

/// Does short work on this thread.
///
/// # Errors
/// The exception of its failure; a panic is an `InternalError`.
pub fn short<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    py.detach(|| caught(work)).map_err(|failure| raised(py, &failure))
}

/// Does long work on a thread of its own, while this one listens for Ctrl-C, which sets `stop`: the work saves what it has and ends.
///
/// # Errors
/// As [`short`]; after Ctrl-C `KeyboardInterrupt`.
pub fn long<T: Send>(
    py: Python<'_>,
    stop: &AtomicBool,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> PyResult<T> {
    let (ended, interrupted) = py.detach(|| {
        std::thread::scope(|scope| {
            let (sender, receiver) = channel();
            let work = move || {
                let _ = sender.send(caught(work)); // who listens does so until this is sent
            };
            if let Err(error) = std::thread::Builder::new().spawn_scoped(scope, work) {
                return (Err(Failure::Io(Message::new(format!("cannot start a thread: {error}")))), None);
            }
            let mut interrupted = None;
            loop {
                match receiver.recv_timeout(PATIENCE) {
                    Ok(ended) => return (ended, interrupted),
                    Err(RecvTimeoutError::Disconnected) => {
                        return (Err(Failure::Bug("a thread ended without a result".into())), interrupted);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
                if let Err(error) = Python::attach(|py| py.check_signals()) {
                    stop.store(true, Ordering::Relaxed);
                    interrupted.get_or_insert(error);
                }
            }
        })
    });
    match (interrupted, ended) {
        (Some(error), _) => Err(error),
        (None, Ok(done)) => Ok(done),
        (None, Err(failure)) => Err(raised(py, &failure)),
    }
}

/// A panic is a bug of gmpc, whatever it says.
fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let said = |payload: Box<dyn Any + Send>| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(Failure::Bug(said(payload))))
}
