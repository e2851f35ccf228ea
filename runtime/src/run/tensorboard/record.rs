//! TFRecord: the format that encloses each event.
//!
//! ```text
//! u64 length | u32 masked CRC-32C of these 8 bytes | data | u32 masked CRC-32C of data      all little-endian
//! ```
//!
//! Source: tensorflow/core/lib/io/record_writer.h; the checksum is Castagnoli's (RFC 3720, appendix B.4).

use std::io::Write;

/// Bytes before and after the data.
const HEAD: usize = 12;
const TAIL: usize = 4;

/// Writes one record.
pub(super) fn write(to: &mut impl Write, data: &[u8]) -> std::io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    to.write_all(&length)?;
    to.write_all(&masked(&length).to_le_bytes())?;
    to.write_all(data)?;
    to.write_all(&masked(data).to_le_bytes())
}

/// The record that begins at `from`, and the position after it; `None` if no complete record begins there.
pub(super) fn read(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let (length, rest) = bytes.get(from..)?.split_first_chunk::<8>()?;
    let (check, rest) = rest.split_first_chunk::<4>()?;
    let sound = masked(length) == u32::from_le_bytes(*check);
    let size = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|_| sound)?;
    let (data, rest) = rest.split_at_checked(size)?;
    let (check, _) = rest.split_first_chunk::<4>()?;
    (masked(data) == u32::from_le_bytes(*check)).then_some((data, from + HEAD + size + TAIL))
}

/// The checksum, rotated and shifted by a constant. This is part of the format: it protects data that contain
/// checksums.
fn masked(data: &[u8]) -> u32 {
    crc(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C.
fn crc(data: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ crc >> 8;
    !data.iter().fold(!0, step)
}

/// The checksum of each single byte.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
        assert_eq!(crc(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn records_come_back_and_damage_ends_them() {
        let mut bytes = Vec::new();
        write(&mut bytes, b"one").unwrap();
        write(&mut bytes, b"").unwrap();
        let (data, next) = read(&bytes, 0).unwrap();
        assert_eq!((data, next), (&b"one"[..], 19));
        assert_eq!(read(&bytes, next), Some((&b""[..], bytes.len())));
        assert_eq!(read(&bytes, bytes.len()), None);
        for at in 0..19 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(read(&damaged, 0), None, "byte {at}");
        }
        assert_eq!(read(&bytes[..18], 0), None);
    }
}
