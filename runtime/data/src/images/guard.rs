//! Calls external decoders. A panic in them is an error of the file and does not end the process.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// True if this thread is inside a decoder whose panic will be caught. A panic hook that ends the process must check
/// this, because the hook runs before the panic is caught.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// The result of `decode`; `None` if it panicked.
pub(super) fn guarded<T>(decode: impl FnOnce() -> T) -> Option<T> {
    let outer = GUARDED.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    GUARDED.set(outer);
    decoded.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_and_the_hook_can_tell() {
        assert!(!is_guarded());
        assert_eq!(guarded(is_guarded), Some(true));
        assert_eq!(guarded(|| -> u8 { panic!("a decoder's mistake, which this test makes") }), None);
        assert!(!is_guarded());
    }
}
