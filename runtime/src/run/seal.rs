//! A checksum inside the file that it protects. It shows every reader whether the file was edited or damaged.
//!
//! The file is JSON with a key `seal`. Its value is the SHA-256 of the file in which the value itself is 64 zeros.

use gmpc_data::digest::sha256;

/// The value of `seal` while the checksum is computed.
pub const UNSEALED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The text with its checksum in place of [`UNSEALED`].
#[must_use]
pub fn seal(text: &str) -> String {
    text.replace(UNSEALED, &sha256(text.as_bytes()))
}

/// True if the text was not changed. An empty seal counts as right: older versions wrote none.
#[must_use]
pub fn is_whole(text: &str, seal: &str) -> bool {
    seal.is_empty() || sha256(text.replace(seal, UNSEALED).as_bytes()) == seal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_noticed() {
        let text = seal(&format!("{{\"figure\":0.25,\"seal\":\"{UNSEALED}\"}}\n"));
        let start = text.find("seal\":\"").unwrap() + 7;
        let (place, seal) = (start..start + 64, &text[start..start + 64]);
        assert!(is_whole(&text, seal) && is_whole("anything", ""));
        for byte in (0..text.len()).filter(|byte| !place.contains(byte)) {
            let mut bytes = text.clone().into_bytes();
            bytes[byte] ^= 1;
            assert!(!is_whole(&String::from_utf8(bytes).unwrap(), seal), "byte {byte}");
        }
        assert!(!is_whole(&text, UNSEALED));
    }
}
