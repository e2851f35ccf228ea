//! The file of weights beside a source, and the function that makes sure that it is the source's.
//!
//! ```text
//! bytes  0 to  7   "gmpcw1", two zeros
//! bytes  8 to 15   FNV-1a of all numbers' bytes, 64 bits, little-endian
//! bytes 16 to 23   the number 1 in the numbers' own format, zeros behind it in single precision
//! bytes 24 to 63   zeros
//! bytes 64 on      the numbers, little-endian, in the order of the source
//! ```

use super::Words;
use crate::network::single;
use gmpc_compiler::math::Precision;

/// Bytes before the numbers.
pub(super) const HEAD: usize = 64;

/// The whole file.
pub(super) fn file(precision: Precision, numbers: &[f64]) -> Vec<u8> {
    let bytes = |number: f64| match precision {
        Precision::F32 => single(number).to_le_bytes().to_vec(),
        Precision::F64 => number.to_le_bytes().to_vec(),
    };
    let body: Vec<u8> = numbers.iter().flat_map(|&number| bytes(number)).collect();
    let mut file = b"gmpcw1\0\0".to_vec();
    file.extend(checksum(&body).to_le_bytes());
    file.extend(bytes(1.0));
    file.resize(HEAD, 0);
    file.extend(body);
    file
}

/// FNV-1a: tells files apart and finds damage; it is no protection against somebody who means to deceive.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// `NAME_weights`: the numbers of a file that is this very one, else null.
pub(super) fn function(Words { prefix, upper, .. }: &Words, file: &[u8]) -> String {
    // The head holds the checksum, so comparing it tells this file from every other. The sum over the numbers then
    // finds damage. `unsigned long long` has at least 64 bits, so the mask keeps exactly 64 on every machine.
    let head: Vec<String> = file[..HEAD.min(file.len())].iter().map(u8::to_string).collect();
    format!(
        "
const {prefix}_number *{prefix}_weights(const void *file, size_t bytes)
{{
    static const unsigned char head[{HEAD}] = {{
        {}
    }};
    const unsigned char *const at = file;
    const number one = 1;
    const unsigned char *const mine = (const unsigned char *)&one;
    unsigned long long sum = 0xcbf29ce484222325ull;
    if (file == NULL || bytes != {upper}_WEIGHTS_BYTES) {{
        return NULL;
    }}
    for (size_t i = 0; i < sizeof head; i++) {{
        if (at[i] != head[i]) {{
            return NULL;
        }}
    }}
    /* Numbers of another format, such as those of a big-endian machine, are not read as if they were its own. */
    for (size_t i = 0; i < sizeof one; i++) {{
        if (at[16 + i] != mine[i]) {{
            return NULL;
        }}
    }}
    for (size_t i = sizeof head; i < bytes; i++) {{
        sum = (sum ^ at[i]) * 0x100000001b3ull & 0xffffffffffffffffull;
    }}
    for (size_t i = 0; i < 8; i++) {{
        if (at[8 + i] != (sum >> 8 * i & 255)) {{
            return NULL;
        }}
    }}
    return (const {prefix}_number *)(at + sizeof head);
}}
",
        head.chunks(16).map(|line| line.join(", ")).collect::<Vec<_>>().join(",\n        ")
    )
}
