//! Internal errors: mistakes of the compiler itself. The process stops, and names the stage, the broken rule and the
//! intermediate representation. It never continues with wrong numbers.
//!
//! An internal error is a panic, because no caller could do anything sensible about it. The command line turns every panic
//! into exit code 70.

use std::fmt::Display;

/// Stops the process because `rule` does not hold at `stage`. `ir` is the text of what breaks it.
///
/// # Panics
/// Always. The message consists of the three arguments.
#[cold]
#[track_caller]
pub fn internal_error(stage: &str, rule: impl Display, ir: impl Display) -> ! {
    panic!("{stage}: {rule}\n{ir}")
}

/// Converts the index of an element of a list to 32 bits.
///
/// # Panics
/// Internal error for an index of 2^32 or more. `graphs::parameterize` rejects such large networks before.
#[must_use]
#[track_caller]
pub fn index32(index: usize, list: &str) -> u32 {
    u32::try_from(index).unwrap_or_else(|_| internal_error("index", format_args!("more than 2^32 {list}"), index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_stage_rule_and_representation() {
        let caught = std::panic::catch_unwind(|| internal_error("fuse", "a rule", "the kernels")).unwrap_err();
        assert_eq!(caught.downcast_ref::<String>().unwrap(), "fuse: a rule\nthe kernels");
    }

    #[test]
    fn an_index_that_needs_more_than_32_bits_is_an_internal_error() {
        assert_eq!(index32(7, "nodes"), 7);
        assert!(std::panic::catch_unwind(|| index32(1 << 32, "nodes")).is_err());
    }
}
