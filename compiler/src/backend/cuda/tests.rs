//! The text and the launches of small programs.
