//! A file as text: its operations in order, then what its metadata say.

use super::message::Model;
use prost::Message;
use std::fmt::Write;

/// The text of a file.
///
/// # Errors
/// The bytes are no model.
pub fn print(bytes: &[u8]) -> Result<String, String> {
    let model = Model::decode(bytes).map_err(|error| error.to_string())?;
    let mut text = String::new();
    for node in model.graph.iter().flat_map(|graph| &graph.node) {
        let _ = writeln!(text, "{} = {}({})", node.output.join(", "), node.op_type, node.input.join(", "));
    }
    for pair in &model.metadata_props {
        let _ = writeln!(text, "{}: {}", pair.key, pair.value);
    }
    Ok(text)
}
