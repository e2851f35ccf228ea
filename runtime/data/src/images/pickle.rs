//! Reads pickles of image batches without running any code.
//!
//! A pickle is a program for a small stack machine, and one of its instructions can call any Python function. This
//! reader knows only the few instructions for dictionaries, lists, texts, numbers and NumPy arrays (protocols 0 to 4),
//! and five names that are needed to make an array. Everything else is an error that names the instruction. There is no
//! recursion; the sizes of stack, memo and collections are limited; texts and pixels are ranges in the file and are not
//! copied.
//!
//! Source: CPython's `pickletools.py`, which describes every instruction.

mod loaded;
mod machine;
mod value;

pub(super) use loaded::Loaded;

/// Reads a pickle. Returns the value that it leaves on its stack.
///
/// # Errors
/// A sentence with the position and the reason: the file is incomplete, an instruction or a name is not allowed, or
/// something is too large.
pub(super) fn read(bytes: &[u8]) -> Result<Loaded<'_>, String> {
    machine::Machine::new(bytes).run()
}

#[cfg(test)]
pub(super) mod tests;
