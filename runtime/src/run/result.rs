//! `result.json`: the result of a run, which is its `done` event with a checksum.

use crate::event::{Done, Event};
use crate::failure::{Failure, Message};
use crate::run::folder::RunFolder;
use crate::run::seal::{UNSEALED, is_whole, seal};
use serde_json::{Value, json};
use std::io::ErrorKind;

/// The name of the file.
pub const FILE: &str = "result.json";

/// Writes a run's result into its folder.
///
/// # Errors
/// [`Failure::Io`]: the file cannot be written.
pub fn write(folder: &RunFolder, done: &Done) -> Result<(), Failure> {
    let mut line = Event::Done(done.clone()).to_json();
    line["seal"] = json!(UNSEALED);
    folder.write(FILE, seal(&format!("{line}\n")).as_bytes())
}

/// Reads a run's result; null if the run has not ended.
///
/// # Errors
/// [`Failure::Io`]: the file was edited or damaged, or cannot be read.
pub fn read(folder: &RunFolder) -> Result<Value, Failure> {
    let path = folder.file(FILE);
    let text = match std::fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Value::Null),
        Err(error) => return Err(Failure::io("read", &path, &error)),
    };
    let value: Option<Value> = serde_json::from_str(&text).ok().filter(Value::is_object);
    let whole = value.filter(|value| is_whole(&text, value["seal"].as_str().unwrap_or_default()));
    whole.ok_or_else(|| {
        let message = Message::new(format!("{} is not what gmpc wrote: it was edited or damaged", path.display()));
        let help = format!("`gmpc train --resume {}` writes it again", folder.path.display());
        Failure::Io(message.at("E0803", &path).help(help))
    })
}
