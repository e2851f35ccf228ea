//! Recognizes files that are not text tables by their first bytes, so that a message can name their kind.

/// The kind of a file that is not text, and a next step; `None` if its beginning is not recognized.
pub(crate) fn of(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let known = BINARY.iter().find(|(magic, ..)| start.starts_with(magic));
    if let Some(&(_, what, help)) = known {
        return Some((what, help));
    }
    if start.starts_with(b"PK\x03\x04") {
        return Some(zip(start));
    }
    if let Some(text) = marked_text(start) {
        return Some(text);
    }
    if is_text(start) {
        return None;
    }
    let of_words = WORDS.iter().find(|(magic, ..)| start.starts_with(magic));
    if let Some(&(_, what, help)) = of_words {
        return Some((what, help));
    }
    if start.get(257..262) == Some(b"ustar") {
        return Some(("a tar archive", "unpack it"));
    }
    without_magic(start)
}

/// As [`of`], if an array is expected: a text is not an array either.
pub(crate) fn of_no_array(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = || is_text(start) && start.contains(&b'\n');
    of(start).or_else(|| text().then_some(("a text", "read it with `table(\"…\", target = …)`")))
}

/// Texts that are not tables.
fn marked_text(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
    let begins = |word: &str| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
    if begins("version https://git-lfs") {
        return Some(("a Git LFS pointer, not the file it stands for", "run `git lfs pull`"));
    }
    if begins("<!doctype html") || begins("<html") || begins("<head") || begins("<body") || begins("<script") {
        return Some(("an HTML page, as a failed download leaves", "download the file itself"));
    }
    if begins("<?xml") || begins("<!doctype") {
        return Some(("an XML file", "save it as CSV"));
    }
    if begins("{\\rtf") {
        return Some(("a text with layout (RTF)", "save it as plain text"));
    }
    let inside = |open: u8| text.strip_prefix(&[open]).and_then(|rest| rest.trim_ascii_start().first().copied());
    let json = matches!(inside(b'{'), Some(b'"')) || matches!(inside(b'['), Some(b'{' | b'['));
    json.then_some(("JSON", "save it as CSV, a row of numbers a line"))
}

/// True for UTF-8 without control characters. The last character may be incomplete.
fn is_text(start: &[u8]) -> bool {
    let whole = match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(), // incomplete last character
    };
    whole && !start.iter().any(|byte| is_control(*byte))
}

fn is_control(byte: u8) -> bool {
    byte < b' ' && !b"\t\n\r\x0b\x0c\x1a".contains(&byte)
}

/// Files without a signature, recognized by the frequency of bytes that no text contains.
fn without_magic(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let utf16 = || ("UTF-16 text", "save it as UTF-8");
    if start.starts_with(&[0xFF, 0xFE, 0, 0]) || start.starts_with(&[0, 0, 0xFE, 0xFF]) {
        return Some(("UTF-32 text", "save it as UTF-8"));
    }
    if start.starts_with(&[0xFF, 0xFE]) || start.starts_with(&[0xFE, 0xFF]) {
        return Some(utf16());
    }
    let zeros = |odd: usize| start.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if start.len() >= 8 && even.max(odd) > start.len() / 3 && even.min(odd) == 0 {
        return Some(utf16());
    }
    let controls = start.iter().filter(|byte| is_control(**byte)).count();
    (controls > 4 && controls > start.len() / 50)
        .then_some(("a binary file of no kind that is known here", "save it as CSV"))
}

#[rustfmt::skip] // a kind, a line
const BINARY: &[(&[u8], &str, &str)] = &[
    (b"\x1F\x8B", "a gzip file", "unpack it with `gunzip`"),
    (b"BZh91AY", "a bzip2 file", "unpack it with `bunzip2`"),
    (b"\xFD7zXZ\0", "an xz file", "unpack it with `unxz`"),
    (b"\x28\xB5\x2F\xFD", "a Zstandard file", "unpack it with `unzstd`"),
    (b"\x04\x22\x4D\x18", "an LZ4 file", "unpack it with `unlz4`"),
    (b"\x1F\x9D", "a file packed by `compress`", "unpack it with `uncompress`"),
    (b"ARROW1\0", "an Arrow (Feather) file", "save it as CSV"),
    (b"\xFF\xFF\xFF\xFF", "an Arrow stream, or another binary file", "save it as CSV"),
    (b"FEA1", "a Feather file", "save it as CSV"),
    (b"Obj\x01", "an Avro file", "save it as CSV"),
    (b"\xD0\xCF\x11\xE0", "an old Excel workbook", "save it as CSV"),
    (b"\x93NUMPY", "a NumPy array", "read it with `npy(\"x.npy\", \"y.npy\")`"),
    (b"\x89HDF", "an HDF5 file", "save its arrays as NPY or CSV"),
    (b"CDF\x01", "a NetCDF file", "save its arrays as NPY or CSV"),
    (b"CDF\x02", "a NetCDF file", "save its arrays as NPY or CSV"),
    (b"MATLAB 5", "a MATLAB file", "save its arrays as NPY or CSV"),
    (b"SQLite format 3\0", "an SQLite database", "save the table as CSV"),
    (b"$FL2", "an SPSS file", "save it as CSV"),
    (b"$FL3", "an SPSS file", "save it as CSV"),
    (b"<stata_dta>", "a Stata file", "save it as CSV"),
    (b"HEADER RECORD*******", "a SAS file", "save it as CSV"),
    (b"RDX3\n", "an R data file", "save it as CSV"),
    (b"RDX2\n", "an R data file", "save it as CSV"),
    (b"\x80\x02", "a Python pickle", "save its arrays as NPY, or the table as CSV"),
    (b"\x80\x03", "a Python pickle", "save its arrays as NPY, or the table as CSV"),
    (b"\x80\x04", "a Python pickle", "save its arrays as NPY, or the table as CSV"),
    (b"\x80\x05", "a Python pickle", "save its arrays as NPY, or the table as CSV"),
    (b"\x89PNG", "a PNG image", "name the table"),
    (b"\xFF\xD8\xFF", "a JPEG image", "name the table"),
    (b"GIF8", "a GIF image", "name the table"),
    (b"%PDF", "a PDF document", "save its table as CSV"),
    (b"7z\xBC\xAF", "a 7z archive", "unpack it"),
    (b"Rar!\x1A", "a RAR archive", "unpack it"),
];

/// Signatures that may also begin a text. They are compared only if the file is not text.
#[rustfmt::skip]
const WORDS: &[(&[u8], &str, &str)] = &[
    (b"PAR1", "a Parquet file", "save it as CSV"),
    (b"ORC", "an ORC file", "save it as CSV"),
];

/// Office documents and NumPy archives are zip files. The first names in them tell which.
fn zip(start: &[u8]) -> (&'static str, &'static str) {
    let holds = |name: &[u8]| start.windows(name.len()).any(|window| window == name);
    if holds(b"[Content_Types].xml") || holds(b"xl/") || holds(b"_rels/") {
        return ("an Excel workbook", "save it as CSV");
    }
    if holds(b"opendocument.spreadsheet") {
        return ("an OpenDocument spreadsheet", "save it as CSV");
    }
    if holds(b".npy") {
        return ("a NumPy archive", "read it with `npz(\"a.npz\", inputs = \"x\", targets = \"y\")`");
    }
    ("a zip archive", "unpack it")
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_file_is_named_by_its_first_bytes() {
        let what = |start: &[u8]| of(start).map(|(what, _)| what);
        assert_eq!(what(b"\x1f\x8b\x08\0\0"), Some("a gzip file"));
        assert_eq!(what(b"PK\x03\x04....xl/workbook.xml"), Some("an Excel workbook"));
        assert_eq!(what(b"PK\x03\x04....x.npy"), Some("a NumPy archive"));
        assert_eq!(what(b"PAR16\xa2S\x91"), Some("a Parquet file"));
        assert_eq!(what(b"\xff\xfea\0,\0b\0\n\0"), Some("UTF-16 text"));
        assert_eq!(what(b"a\0,\0b\0\n\x001\0,\0"), Some("UTF-16 text"));
        assert_eq!(what(b"\xff\xfe\0\0a\0\0\0"), Some("UTF-32 text"));
        assert_eq!(what(&[7; 40]), Some("a binary file of no kind that is known here"));
        assert_eq!(what(b"{ \"a\": 1}"), Some("JSON"));
        assert_eq!(what(b"[\n  {\n"), Some("JSON"));
        assert_eq!(what(b"\n<!DOCTYPE HTML>"), Some("an HTML page, as a failed download leaves"));
        assert_eq!(what(b"{\"a\": 1}"), Some("JSON"));
        assert_eq!(what(b"version https://git-lfs.github.com/spec/v1\n").map(|w| &w[..9]), Some("a Git LFS"));
        for text in [
            "a,b\n1,2\n",
            "",
            "1 2 3",
            "@relation x",
            "[a],b\n",
            "versions,b\n",
            "PAR1,ORC\n1,2\n",
            "größe\n",
            "1.\x005\n",
        ] {
            assert_eq!(what(text.as_bytes()), None, "{text}");
        }
    }
}
