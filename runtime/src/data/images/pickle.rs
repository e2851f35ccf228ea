//! Pickles of batches of images, read without running anything.
//!
//! A pickle is a program for a small stack machine, one of whose instructions calls any Python function there is. This
//! reader knows the few instructions that dictionaries, lists, texts, numbers and NumPy arrays are made of (protocols 0 to
//! 4), and five names, which stand for making an array. Everything else is an error that names it. Nothing recurses; stack,
//! memo and elements are bounded; texts and pixels are places in the file and are not copied.
//!
//! Source: CPython's `pickletools.py`, which describes every instruction.

mod loaded;
mod machine;
mod value;

pub(super) use loaded::Loaded;

/// Reads a pickle: the value it leaves on its stack.
///
/// # Errors
/// A sentence that names the place and what is wrong: cut off, an instruction or a name that is not allowed, something
/// too large.
pub(super) fn read(bytes: &[u8]) -> Result<Loaded<'_>, String> {
    machine::Machine::new(bytes).run()
}

#[cfg(test)]
pub(super) mod tests;
