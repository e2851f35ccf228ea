//! Finds the definition that a name or a `param = …` refers to.

mod param;
pub(crate) mod reference;
pub(crate) mod walk;

pub(crate) use param::param_use;
pub(crate) use reference::find;
